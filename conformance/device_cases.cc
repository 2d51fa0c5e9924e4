// A device as a whole: opened twice at once and again and again, out of memory, and lost.
#include <sys/mman.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "conformance/memory_watch.h"
#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

// The option by which a chip offers to lose its device, for tests (docs/chip_interface.md).
constexpr const char* kLossOption = "lose_device_after";

void BuildSmall(Scenario& s) {
  s.Compare(s.list.Scale(s.Floats(DType::kF32, {4, 64}), 2), "y", kExact);
  s.Seal();
}

// Whether a device does as it should: bytes there and back and, where it has the operation, a
// program.
base::Status Works(Session& session, Random& random) {
  constexpr std::size_t kBytes = 10'007;
  const std::vector<std::byte> bytes = RandomBytes(random, kBytes);
  SWITCHYARD_TRY(const auto from, session.CreateBuffer(kBytes));
  SWITCHYARD_TRY(const auto to, session.CreateBuffer(kBytes));
  SWITCHYARD_RETURN_IF_ERROR(session.Upload(from.get(), 0, bytes.data(), kBytes));
  SWITCHYARD_RETURN_IF_ERROR(session.Check(
      session.api().copy(session.queue(), to.get(), 1, from.get(), 2, kBytes - 2), "copy"));
  std::vector<std::byte> back(kBytes - 2);
  SWITCHYARD_RETURN_IF_ERROR(session.Download(back.data(), to.get(), 1, back.size()));
  if (!std::equal(back.begin(), back.end(), bytes.begin() + 2)) {
    return Fail(ErrorCode::kDataLoss, "bytes come back other than they were sent");
  }
  Scenario s(random);
  BuildSmall(s);
  const auto execution = Execution::Prepare(session, s);
  if (!execution && execution.error().code == ErrorCode::kUnimplemented) return {};
  if (!execution) return std::unexpected(execution.error());
  SWITCHYARD_TRY(const Outputs outputs, (*execution)->Run());
  if (session.has(SY_DEVICE_COMPUTES_NOTHING)) return {};
  const std::vector<float> x = Decode(DType::kF32, s.contents(0));
  const std::vector<float> y = Decode(DType::kF32, outputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (y[i] != 2 * x[i])
      return Fail(ErrorCode::kDataLoss, "twice {} is said to be {}", x[i], y[i]);
  }
  return {};
}

Outcome OpensTwice(Context& context, bool closes_first_first) {
  auto first = context.tested.OpenAgain();
  if (!first) return Failure("opened a second time: " + first.error().message);
  auto second = context.tested.OpenAgain();
  if (!second) return Failure("opened a third time: " + second.error().message);
  {
    base::Status one;
    base::Status other;
    {
      std::jthread thread([&, random = Random(context.random())]() mutable {
        for (int i = 0; i < 5 && one; ++i) one = Works(**first, random);
      });
      Random random(context.random());
      for (int i = 0; i < 5 && other; ++i) other = Works(**second, random);
    }
    CONFORMANCE_TRY(one);
    CONFORMANCE_TRY(other);
  }
  auto& closed = closes_first_first ? *first : *second;
  auto& kept = closes_first_first ? *second : *first;
  closed.reset();
  if (const base::Status status = Works(*kept, context.random); !status) {
    return Failure("after the other was closed: " + status.error().message);
  }
  kept.reset();
  if (const base::Status status = Works(context.tested, context.random); !status) {
    return Failure("after both others were closed: " + status.error().message);
  }
  return Pass();
}

Outcome OpensAgainAndAgain(Context& context) {
  constexpr int kRounds = 50;
  constexpr std::uint64_t kBytes = std::uint64_t{16} << 20;
  const std::vector<std::byte> bytes(kBytes, std::byte{0x42});
  const std::vector<std::byte> matrix = Encode(DType::kF32, Normal(context.random, 64 * 256));
  const auto round = [&](int i) -> base::Status {
    SWITCHYARD_TRY(const auto session, context.tested.OpenAgain());
    SWITCHYARD_TRY(const auto queue, session->CreateQueue());
    SWITCHYARD_TRY(const auto event, session->CreateEvent());
    SWITCHYARD_TRY(const auto buffer, session->CreateBuffer(kBytes));
    sy_weight_desc desc{};
    desc.struct_size = sizeof desc;
    desc.rank = 2;
    desc.dims[0] = 64;
    desc.dims[1] = 256;
    desc.dims[2] = desc.dims[3] = 1;
    desc.use = SY_WEIGHT_LINEAR;
    desc.data = matrix.data();
    desc.data_bytes = matrix.size();
    SWITCHYARD_TRY(const auto weight, session->CreateWeight(desc));
    SWITCHYARD_RETURN_IF_ERROR(session->Upload(buffer.get(), 0, bytes.data(), kBytes));
    SWITCHYARD_RETURN_IF_ERROR(
        session->Check(session->api().event_record(queue.get(), event.get()), "event_record"));
    return i % 10 == 0 ? Works(*session, context.random) : base::Status{};
  };
  CONFORMANCE_TRY(round(0));  // what is made once and kept
  const auto watch = MemoryWatch::Begin(context.tested);
  if (!watch) return OutcomeOf(watch.error());
  for (int i = 0; i < kRounds; ++i) {
    if (const base::Status status = round(i); !status) {
      return Failure(fmt::format("opened for the {}th time: {}", i + 2, status.error().message));
    }
  }
  CONFORMANCE_TRY(Works(context.tested, context.random));
  const auto lost = watch->LostBytes();
  if (!lost) return OutcomeOf(lost.error());
  if (*lost > static_cast<std::int64_t>(kRounds * kBytes / 2)) {
    return Failure(
        fmt::format("{} devices opened and closed, each with a buffer of {} bytes, left "
                    "{} bytes less",
                    kRounds, kBytes, *lost));
  }
  return Pass();
}

// ---- Out of memory ------------------------------------------------------------------------------

// More than is free, though not more than there is. Where the system promises more memory than it
// has, success is no fault.
Outcome RefusesMoreThanIsFree(Context& context) {
  Session& session = context.tested;
  std::uint64_t available = 0;
  CONFORMANCE_TRY(session.Check(session.api().memory_available(session.device(), &available),
                                "memory_available"));
  const std::uint64_t bytes = available + available / 4;
  sy_buffer* buffer = nullptr;
  const sy_status answer = session.api().buffer_create(session.device(), bytes, &buffer);
  Outcome outcome = Pass();
  if (answer == SY_OK) {
    session.api().buffer_destroy(buffer);
    outcome.reason = fmt::format(
        "a buffer of {} bytes was given with {} free: memory is promised before it is there", bytes,
        available);
  } else if (answer != static_cast<sy_status>(SY_RESOURCE_EXHAUSTED)) {
    return Failure(fmt::format("{} bytes with {} free give status {}, not {}", bytes, available,
                               answer, static_cast<sy_status>(SY_RESOURCE_EXHAUSTED)));
  } else if (buffer != nullptr) {
    return Failure("a failed buffer_create wrote its output");
  }
  CONFORMANCE_TRY(Works(session, context.random));
  return outcome;
}

// Host memory that is all zeros and takes none, to stand for a weight of any size.
class Zeros {
 public:
  explicit Zeros(std::uint64_t bytes) : bytes_(bytes) {
    address_ =
        ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  Zeros(const Zeros&) = delete;
  Zeros& operator=(const Zeros&) = delete;
  ~Zeros() {
    if (is_mapped()) ::munmap(address_, bytes_);
  }
  bool is_mapped() const { return address_ != MAP_FAILED; }
  const void* address() const { return address_; }

 private:
  std::uint64_t bytes_;
  void* address_;
};

Outcome RefusesTooLargeWeights(Context& context) {
  Session& session = context.tested;
  sy_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = SY_F32;
  desc.rank = 2;
  desc.dims[0] = static_cast<std::int64_t>(session.properties().memory_bytes * 4 / 4096);
  desc.dims[1] = 1024;
  desc.dims[2] = desc.dims[3] = 1;
  desc.use = SY_WEIGHT_LINEAR;
  desc.data_bytes = static_cast<std::uint64_t>(desc.dims[0]) * 4096;
  const Zeros zeros(desc.data_bytes);
  if (!zeros.is_mapped())
    return Skip("the system gives no address space for a weight of that size");
  desc.data = zeros.address();
  sy_weight* weight = nullptr;
  const sy_status answer = session.api().weight_create(session.device(), &desc, &weight);
  if (answer == SY_OK) {
    session.api().weight_destroy(weight);
    return Failure(fmt::format("a weight of {} bytes can be had", desc.data_bytes));
  }
  if (answer == static_cast<sy_status>(SY_UNIMPLEMENTED)) return Skip(session.api().last_error());
  if (answer != static_cast<sy_status>(SY_RESOURCE_EXHAUSTED)) {
    return Failure(fmt::format("a weight of {} bytes gives status {}, not {}", desc.data_bytes,
                               answer, static_cast<sy_status>(SY_RESOURCE_EXHAUSTED)));
  }
  if (weight != nullptr) return Failure("a failed weight_create wrote its output");
  CONFORMANCE_TRY(Works(session, context.random));
  return Pass();
}

// ---- Loss ---------------------------------------------------------------------------------------

// A device that is lost after `runs` runs; the outcome if there is none to be had.
std::unique_ptr<Session> OpenFragile(Context& context, int runs, Outcome& outcome) {
  auto opened = context.tested.OpenAgain({{kLossOption, std::to_string(runs)}});
  if (opened) return std::move(*opened);
  outcome = opened.error().code == ErrorCode::kInvalidArgument
                ? Skip(fmt::format("the chip has no option '{}', so its loss cannot be tried",
                                   kLossOption))
                : OutcomeOf(opened.error());
  return nullptr;
}

// What is left of a lost device: every call but destruction fails, and writes nothing.
Outcome EverythingFails(Session& session, const Execution& execution, Random& random) {
  const sy_chip_api& api = session.api();
  sy_device* const device = session.device();
  const std::vector<std::byte> bytes = Encode(DType::kF32, Normal(random, 64));
  auto* const untouched = reinterpret_cast<void*>(&session);
  void* made = untouched;
  std::byte host{};
  std::uint64_t number = 0;
  double value = 0;
  sy_weight_desc weight{};
  weight.struct_size = sizeof weight;
  weight.rank = 1;
  weight.dims[0] = 64;
  weight.dims[1] = weight.dims[2] = weight.dims[3] = 1;
  weight.use = SY_WEIGHT_VECTOR;
  weight.data = bytes.data();
  weight.data_bytes = bytes.size();
  sy_program_properties program_properties{};
  program_properties.struct_size = sizeof program_properties;
  sy_device_properties properties{};
  properties.struct_size = sizeof properties;
  const sy_program_desc none{sizeof(sy_program_desc), 0, nullptr, 0, nullptr, 0};
  sy_buffer* const buffer = execution.bindings()[0].buffer;
  const std::span<const sy_binding> bindings = execution.bindings();
  const auto count = static_cast<std::uint32_t>(bindings.size());
  struct Call {
    const char* name;
    std::function<sy_status()> make;
  };
  std::vector<Call> calls = {
      {"memory_available", [&] { return api.memory_available(device, &number); }},
      {"buffer_create",
       [&] { return api.buffer_create(device, 64, reinterpret_cast<sy_buffer**>(&made)); }},
      {"queue_create",
       [&] { return api.queue_create(device, reinterpret_cast<sy_queue**>(&made)); }},
      {"event_create",
       [&] { return api.event_create(device, reinterpret_cast<sy_event**>(&made)); }},
      {"weight_create",
       [&] { return api.weight_create(device, &weight, reinterpret_cast<sy_weight**>(&made)); }},
      {"program_create",
       [&] { return api.program_create(device, &none, reinterpret_cast<sy_program**>(&made)); }},
      {"upload", [&] { return api.upload(session.queue(), buffer, 0, bytes.data(), 4); }},
      {"download", [&] { return api.download(session.queue(), &host, buffer, 0, 1); }},
      {"copy", [&] { return api.copy(session.queue(), buffer, 0, buffer, 8, 4); }},
      {"fill", [&] { return api.fill(session.queue(), buffer, 0, 1, 4); }},
      {"queue_sync", [&] { return api.queue_sync(session.queue()); }},
      {"program_properties",
       [&] { return api.program_properties(execution.program(), &program_properties); }},
      {"program_run",
       [&] {
         return api.program_run(execution.program(), bindings.data(), count, execution.workspace(),
                                0, session.queue());
       }},
  };
  if (api.measure_ceiling != nullptr) {
    calls.push_back({"measure_ceiling", [&] {
                       return api.measure_ceiling(device, SY_CEILING_MEMORY_GB_S, SY_F32, &value);
                     }});
  }
  if (api.opened_properties != nullptr) {
    calls.push_back(
        {"opened_properties", [&] { return api.opened_properties(device, &properties); }});
  }
  if (api.capture_begin != nullptr) {
    calls.push_back({"capture_begin", [&] { return api.capture_begin(session.queue()); }});
  }
  for (const Call& call : calls) {
    const sy_status status = call.make();
    if (status != static_cast<sy_status>(SY_UNAVAILABLE)) {
      return Failure(fmt::format("{} on a lost device gives status {}, not {}", call.name, status,
                                 static_cast<sy_status>(SY_UNAVAILABLE)));
    }
    const char* sentence = api.last_error();
    if (sentence == nullptr || sentence[0] == '\0') {
      return Failure(fmt::format("{} on a lost device leaves last_error empty", call.name));
    }
    if (made != untouched || number != 0 || value != 0) {
      return Failure(fmt::format("{} on a lost device wrote its output", call.name));
    }
  }
  return Pass();
}

Outcome IsLostAtOnce(Context& context) {
  Outcome outcome;
  constexpr int kRuns = 2;
  const auto session = OpenFragile(context, kRuns, outcome);
  if (session == nullptr) return outcome;
  Scenario s(context.random);
  BuildSmall(s);
  auto execution = Execution::Prepare(*session, s);
  if (!execution) return OutcomeOf(execution.error());
  // Made before the loss, destroyed after it.
  auto queue = session->CreateQueue();
  auto event = session->CreateEvent();
  auto idle = session->CreateBuffer(1000);
  if (!queue || !event || !idle) return Failure("a queue, an event and a buffer cannot be had");
  CONFORMANCE_TRY(
      session->Check(session->api().event_record(queue->get(), event->get()), "event_record"));
  for (int i = 0; i < kRuns; ++i) {
    const auto outputs = (*execution)->Run();
    if (!outputs) return Failure("before the loss: " + outputs.error().message);
  }
  const auto lost = (*execution)->Run();
  if (lost)
    return Failure(fmt::format("run {} with {}={} succeeds", kRuns + 1, kLossOption, kRuns));
  if (lost.error().code != ErrorCode::kUnavailable) {
    return Failure("the loss is not reported as such: " + lost.error().message);
  }
  outcome = EverythingFails(*session, **execution, context.random);
  if (outcome.verdict != Verdict::kPass) return outcome;
  for (const auto& [name, status] :
       {std::pair{"event_record", session->api().event_record(queue->get(), event->get())},
        {"event_wait", session->api().event_wait(queue->get(), event->get())},
        {"event_sync", session->api().event_sync(event->get())}}) {
    if (status != static_cast<sy_status>(SY_UNAVAILABLE)) {
      return Failure(fmt::format("{} on a lost device gives status {}", name, status));
    }
  }
  auto fresh = context.tested.OpenAgain();
  if (!fresh) return Failure("a fresh device cannot be opened: " + fresh.error().message);
  CONFORMANCE_TRY(Works(**fresh, context.random));
  CONFORMANCE_TRY(Works(context.tested, context.random));  // never lost itself
  return Pass();
}

// Several queues in full swing; every one of them must end with the loss, and none may hang.
Outcome IsLostUnderLoad(Context& context) {
  Outcome outcome;
  const auto session = OpenFragile(context, 40, outcome);
  if (session == nullptr) return outcome;
  struct Lane {
    std::unique_ptr<Scenario> scenario;
    std::unique_ptr<Execution> execution;
    Handle<sy_queue> queue{nullptr, nullptr};
    base::Status end;
  };
  std::vector<Lane> lanes;
  for (int i = 0; i < 4; ++i) {
    Lane lane;
    lane.scenario = std::make_unique<Scenario>(context.random);
    BuildSmall(*lane.scenario);
    auto execution = Execution::Prepare(*session, *lane.scenario);
    if (!execution) return OutcomeOf(execution.error());
    lane.execution = std::move(*execution);
    auto queue = session->CreateQueue();
    if (!queue) return OutcomeOf(queue.error());
    lane.queue = std::move(*queue);
    lanes.push_back(std::move(lane));
  }
  {
    std::vector<std::jthread> threads;
    for (Lane& lane : lanes) {
      threads.emplace_back([&lane] {
        for (int i = 0; i < 1000 && lane.end; ++i) {
          const auto outputs = lane.execution->Run(lane.queue.get());
          if (!outputs) lane.end = std::unexpected(outputs.error());
        }
      });
    }
  }
  for (const Lane& lane : lanes) {
    if (lane.end) return Failure("a thread runs on and on after the loss");
    if (lane.end.error().code != ErrorCode::kUnavailable) return Failure(lane.end.error().message);
  }
  return Pass();
}

}  // namespace

void AddDeviceCases(std::vector<Case>& cases) {
  cases.push_back(InterfaceCase("devices", "opens twice, first closed first",
                                [](Context& context) { return OpensTwice(context, true); }));
  cases.push_back(InterfaceCase("devices", "opens twice, second closed first",
                                [](Context& context) { return OpensTwice(context, false); }));
  cases.push_back(InterfaceCase("devices", "opens again and again", OpensAgainAndAgain));
  cases.push_back(InterfaceCase("memory", "refuses more than is free", RefusesMoreThanIsFree));
  cases.push_back(InterfaceCase("memory", "refuses too large weights", RefusesTooLargeWeights));
  cases.push_back(InterfaceCase("loss", "at once", IsLostAtOnce));
  cases.push_back(InterfaceCase("loss", "under load", IsLostUnderLoad));
}

}  // namespace switchyard::conformance
