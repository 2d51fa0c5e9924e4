// The parts of the chip interface that compute nothing: devices, buffers, queues, events, weights,
// and what happens to what is wrong.
#include <algorithm>
#include <array>
#include <cstring>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

template <std::size_t kSize>
bool IsText(const char (&field)[kSize]) {
  return std::memchr(field, '\0', kSize) != nullptr;
}

Outcome DescribesItself(Context& context) {
  const sy_chip_api& api = context.tested.api();
  const sy_device_properties& properties = context.tested.properties();
  std::uint32_t count = 0;
  CONFORMANCE_TRY(context.tested.Check(api.device_count(&count), "device_count"));
  if (context.tested.index() >= count) {
    return Failure(fmt::format("device {} opens, but there are {}", context.tested.index(), count));
  }
  if (api.name == nullptr || api.name[0] == '\0') return Failure("the chip has no name");
  if (!IsText(properties.name) || properties.name[0] == '\0' || !IsText(properties.maker) ||
      !IsText(properties.architecture)) {
    return Failure("name, maker or architecture is not a text that ends, or the name is empty");
  }
  const std::uint64_t alignment = properties.alignment_bytes;
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > (1U << 20)) {
    return Failure(fmt::format("alignment_bytes is {}; it must be a power of two", alignment));
  }
  if (properties.kv_page_multiple == 0 || properties.unit_count == 0 ||
      properties.memory_bytes == 0) {
    return Failure("kv_page_multiple, unit_count and memory_bytes must be at least 1");
  }
  if (properties.proof > SY_PROOF_RUN_ON_SILICON) {
    return Failure(fmt::format("proof is {}, which is none", properties.proof));
  }
  std::uint64_t available = 0;
  CONFORMANCE_TRY(context.tested.Check(api.memory_available(context.tested.device(), &available),
                                       "memory_available"));
  if (available == 0 || available > properties.memory_bytes) {
    return Failure(fmt::format("memory_available is {} of {}", available, properties.memory_bytes));
  }
  return Pass();
}

// Rule 1: a struct of an older host's size is filled in no further than that.
Outcome RespectsStructSize(Context& context) {
  sy_device_properties properties;
  std::memset(&properties, 0x5a, sizeof properties);
  properties.struct_size = offsetof(sy_device_properties, memory_bytes);
  CONFORMANCE_TRY(context.tested.Check(
      context.tested.api().device_properties(context.tested.index(), &properties),
      "device_properties with a smaller struct_size"));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&properties);
  const bool is_untouched =
      std::all_of(bytes + offsetof(sy_device_properties, memory_bytes), bytes + sizeof properties,
                  [](unsigned char byte) { return byte == 0x5a; });
  if (!is_untouched) return Failure("device_properties wrote beyond struct_size");
  if (!IsText(properties.name)) return Failure("device_properties left out the name");
  return Pass();
}

Outcome RefusesUnknownDevices(Context& context) {
  const sy_chip_api& api = context.tested.api();
  std::uint32_t count = 0;
  CONFORMANCE_TRY(context.tested.Check(api.device_count(&count), "device_count"));
  sy_device_properties properties{};
  properties.struct_size = sizeof properties;
  if (api.device_properties(count, &properties) == SY_OK) {
    return Failure("device_properties describes a device beyond the last");
  }
  auto* const untouched = reinterpret_cast<sy_device*>(&properties);
  sy_device* device = untouched;
  if (api.device_open(count, nullptr, 0, &device) == SY_OK) {
    return Failure("device_open opens a device beyond the last");
  }
  if (device != untouched) return Failure("a failed device_open wrote its output");
  const char* sentence = api.last_error();
  if (sentence == nullptr || sentence[0] == '\0') return Failure("last_error is empty");
  return Pass();
}

// A model in host memory of three buffers, against random uploads, copies and fills.
Outcome MovesBytes(Context& context) {
  Session& session = context.tested;
  constexpr std::size_t kBytes = 100'003;
  std::vector<Handle<sy_buffer>> buffers;
  std::vector<std::vector<std::byte>> expected;
  for (int i = 0; i < 3; ++i) {
    auto buffer = session.CreateBuffer(kBytes);
    if (!buffer) return OutcomeOf(buffer.error());
    buffers.push_back(std::move(*buffer));
    expected.push_back(RandomBytes(context.random, kBytes));
    CONFORMANCE_TRY(session.Upload(buffers.back().get(), 0, expected.back().data(), kBytes));
  }
  std::vector<std::vector<std::byte>> kept;  // uploads may read until the queue is synchronised
  for (int step = 0; step < 60; ++step) {
    const std::size_t to = context.random() % 3;
    const std::size_t length = step % 7 == 0 ? context.random() % 4 : context.random() % 5000;
    const std::size_t at = context.random() % (kBytes - length);
    const auto destination = expected[to].begin() + static_cast<std::ptrdiff_t>(at);
    switch (context.random() % 3) {
      case 0: {
        kept.push_back(RandomBytes(context.random, length));
        CONFORMANCE_TRY(session.Check(session.api().upload(session.queue(), buffers[to].get(), at,
                                                           kept.back().data(), length),
                                      "upload"));
        std::ranges::copy(kept.back(), destination);
        break;
      }
      case 1: {
        const std::size_t from = (to + 1) % 3;
        const std::size_t from_at = context.random() % (kBytes - length);
        CONFORMANCE_TRY(session.Check(session.api().copy(session.queue(), buffers[to].get(), at,
                                                         buffers[from].get(), from_at, length),
                                      "copy"));
        std::copy_n(expected[from].begin() + static_cast<std::ptrdiff_t>(from_at), length,
                    destination);
        break;
      }
      default: {
        const auto value = static_cast<std::uint8_t>(context.random());
        CONFORMANCE_TRY(session.Check(
            session.api().fill(session.queue(), buffers[to].get(), at, value, length), "fill"));
        std::fill_n(destination, length, std::byte{value});
      }
    }
  }
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    std::vector<std::byte> actual(kBytes);
    CONFORMANCE_TRY(session.Download(actual.data(), buffers[i].get(), 0, kBytes));
    const auto wrong = std::ranges::mismatch(actual, expected[i]).in1;
    if (wrong != actual.end()) {
      return Failure(fmt::format("buffer {} is wrong from byte {}", i, wrong - actual.begin()));
    }
    std::byte middle{};
    CONFORMANCE_TRY(session.Download(&middle, buffers[i].get(), kBytes / 2, 1));
    if (middle != expected[i][kBytes / 2]) return Failure("a download of one byte is wrong");
  }
  return Pass();
}

Outcome CopiesWithinABuffer(Context& context) {
  auto buffer = context.tested.CreateBuffer(1000);
  if (!buffer) return OutcomeOf(buffer.error());
  const std::vector<std::byte> bytes = RandomBytes(context.random, 500);
  CONFORMANCE_TRY(context.tested.Upload(buffer->get(), 0, bytes.data(), bytes.size()));
  CONFORMANCE_TRY(context.tested.Check(
      context.tested.api().copy(context.tested.queue(), buffer->get(), 500, buffer->get(), 0, 500),
      "copy"));
  std::vector<std::byte> actual(500);
  CONFORMANCE_TRY(context.tested.Download(actual.data(), buffer->get(), 500, 500));
  return actual == bytes ? Pass() : Failure("the copy differs");
}

Outcome MapsMemory(Context& context) {
  Session& session = context.tested;
  auto buffer = session.CreateBuffer(256);
  if (!buffer) return OutcomeOf(buffer.error());
  if (!session.has(SY_DEVICE_HOST_MEMORY)) {
    void* address = nullptr;
    if (session.api().buffer_map != nullptr &&
        session.api().buffer_map(buffer->get(), &address) == SY_OK) {
      return Failure("buffer_map works without SY_DEVICE_HOST_MEMORY");
    }
    return Skip("the device does not claim SY_DEVICE_HOST_MEMORY");
  }
  if (session.api().buffer_map == nullptr) {
    return Failure("the device claims SY_DEVICE_HOST_MEMORY but the chip has no buffer_map");
  }
  void* address = nullptr;
  CONFORMANCE_TRY(session.Check(session.api().buffer_map(buffer->get(), &address), "buffer_map"));
  if (reinterpret_cast<std::uintptr_t>(address) % session.properties().alignment_bytes != 0) {
    return Failure("the mapped address is not a multiple of alignment_bytes");
  }
  std::memset(address, 0x37, 256);
  std::array<std::byte, 256> actual{};
  CONFORMANCE_TRY(session.Download(actual.data(), buffer->get(), 0, 256));
  const bool is_seen =
      std::ranges::all_of(actual, [](std::byte byte) { return byte == std::byte{0x37}; });
  return is_seen ? Pass() : Failure("the device does not see what was written through the mapping");
}

Outcome RunsOutOfMemory(Context& context) {
  Session& session = context.tested;
  for (const std::uint64_t bytes :
       {session.properties().memory_bytes * 4, std::uint64_t{1} << 60, ~std::uint64_t{0}}) {
    sy_buffer* buffer = nullptr;
    const sy_status status = session.api().buffer_create(session.device(), bytes, &buffer);
    if (status == SY_OK) {
      session.api().buffer_destroy(buffer);
      return Failure(fmt::format("a buffer of {} bytes can be had", bytes));
    }
    constexpr sy_status kWanted = SY_RESOURCE_EXHAUSTED;
    if (status != kWanted) {
      return Failure(
          fmt::format("a buffer of {} bytes gives status {}, not {}", bytes, status, kWanted));
    }
    if (buffer != nullptr) return Failure("a failed buffer_create wrote its output");
  }
  // The device is none the worse.
  return MovesBytes(context);
}

// Work of one queue, ordered after another's by an event.
Outcome OrdersQueues(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  auto first = session.CreateQueue();
  auto second = session.CreateQueue();
  auto event = session.CreateEvent();
  constexpr std::size_t kBytes = 1 << 20;
  auto from = session.CreateBuffer(kBytes);
  auto to = session.CreateBuffer(kBytes);
  for (const bool is_made : {first.has_value(), second.has_value(), event.has_value(),
                             from.has_value(), to.has_value()}) {
    if (!is_made) return Failure("two queues, an event and two buffers cannot be had at once");
  }
  for (int round = 0; round < 8; ++round) {
    const std::vector<std::byte> bytes = RandomBytes(context.random, kBytes);
    CONFORMANCE_TRY(
        session.Check(api.upload(first->get(), from->get(), 0, bytes.data(), kBytes), "upload"));
    CONFORMANCE_TRY(session.Check(api.event_record(first->get(), event->get()), "event_record"));
    CONFORMANCE_TRY(session.Check(api.event_wait(second->get(), event->get()), "event_wait"));
    CONFORMANCE_TRY(
        session.Check(api.copy(second->get(), to->get(), 0, from->get(), 0, kBytes), "copy"));
    std::vector<std::byte> actual(kBytes);
    CONFORMANCE_TRY(session.Check(api.download(second->get(), actual.data(), to->get(), 0, kBytes),
                                  "download"));
    CONFORMANCE_TRY(session.Check(api.event_record(second->get(), event->get()), "event_record"));
    CONFORMANCE_TRY(session.Check(api.event_sync(event->get()), "event_sync"));
    if (actual != bytes) return Failure("the second queue did not wait for the first");
    CONFORMANCE_TRY(session.Check(api.queue_sync(first->get()), "queue_sync"));
  }
  return Pass();
}

sy_weight_desc WeightDesc(DType dtype, std::int64_t rows, std::int64_t columns,
                          std::span<const std::byte> bytes) {
  sy_weight_desc desc{};
  desc.struct_size = sizeof desc;
  desc.dtype = static_cast<sy_dtype>(dtype);
  desc.rank = 2;
  desc.dims[0] = rows;
  desc.dims[1] = columns;
  desc.dims[2] = 1;
  desc.dims[3] = 1;
  desc.use = SY_WEIGHT_LINEAR;
  desc.data = bytes.data();
  desc.data_bytes = bytes.size();
  return desc;
}

Outcome DescribesWeights(Context& context, DType dtype) {
  Session& session = context.tested;
  const std::vector<std::byte> bytes = Encode(dtype, Normal(context.random, 64 * 512, 0.1F));
  auto weight = session.CreateWeight(WeightDesc(dtype, 64, 512, bytes));
  if (!weight) return OutcomeOf(weight.error());
  sy_weight_properties properties{};
  properties.struct_size = sizeof properties;
  CONFORMANCE_TRY(session.Check(session.api().weight_properties(weight->get(), &properties),
                                "weight_properties"));
  if (!IsText(properties.layout) || properties.layout[0] == '\0') {
    return Failure("the layout is not a text that ends, or it is empty");
  }
  // No format can be read in less than its codes, nor need one be widened beyond f32 with padding.
  const std::uint64_t widest = std::uint64_t{64} * 512 * 4 * 2;
  if (properties.memory_bytes < bytes.size() / 2 || properties.memory_bytes > widest) {
    return Failure(fmt::format("memory_bytes is {} for {} bytes of {}", properties.memory_bytes,
                               bytes.size(), tensor::Name(dtype)));
  }
  if (properties.read_bytes < bytes.size() / 2 || properties.read_bytes > properties.memory_bytes) {
    return Failure(
        fmt::format("read_bytes is {} of {}", properties.read_bytes, properties.memory_bytes));
  }
  return Pass();
}

Outcome RefusesBadWeights(Context& context) {
  Session& session = context.tested;
  const std::vector<std::byte> bytes = Encode(DType::kF32, Normal(context.random, 4 * 8));
  const sy_weight_desc good = WeightDesc(DType::kF32, 4, 8, bytes);
  const auto is_refused = [&](sy_weight_desc desc) {
    sy_weight* weight = nullptr;
    if (session.api().weight_create(session.device(), &desc, &weight) != SY_OK) {
      return weight == nullptr;
    }
    session.api().weight_destroy(weight);
    return false;
  };
  if (auto weight = session.CreateWeight(good); !weight) return OutcomeOf(weight.error());
  sy_weight_desc desc = good;
  desc.dtype = 9999;
  if (!is_refused(desc)) return Failure("a weight of type 9999 is accepted");
  desc = good;
  desc.data_bytes -= 4;
  if (!is_refused(desc)) return Failure("a weight with too few bytes is accepted");
  desc = good;
  desc.rank = 9;
  if (!is_refused(desc)) return Failure("a weight of rank 9 is accepted");
  desc = good;
  desc.dims[0] = -4;
  if (!is_refused(desc)) return Failure("a weight with a negative dim is accepted");
  return Pass();
}

// A program that no chip can have: the host would not offer it, but a newer host might.
Outcome RefusesUnknownOperations(Context& context) {
  Scenario s(context.random);
  s.Compare(s.list.Scale(s.Floats(DType::kF32, {2, 8}), 2), "y", kExact);
  s.Seal();
  Session& session = context.tested;
  const auto is_refused = [&](const sy_program_desc& desc) {
    sy_program* program = nullptr;
    const bool is_supported = session.api().op_supported(session.device(), &desc, 0) != 0;
    const sy_status status = session.api().program_create(session.device(), &desc, &program);
    if (status == SY_OK) session.api().program_destroy(program);
    return !is_supported && status != SY_OK && program == nullptr;
  };
  s.ops[0].kind = SY_OP_KIND_COUNT + 1000;
  if (!is_refused(s.desc())) return Failure("an operation of kind 1016 is accepted");
  return Pass();
}

// One operation of one argument in and one out: the first of a few that the chip has.
void BuildSmallProgram(Scenario& s, bool is_linear, DType activation) {
  const Tensor x = s.Floats(activation, {2, 64});
  s.Compare(is_linear ? s.list.Linear(x, s.Matrix(DType::kF16, {8, 64})) : s.list.Scale(x, 2), "y",
            ToleranceOf(SY_OP_LINEAR, activation, DType::kF16));
  s.Seal();
}

Outcome RefusesBadRuns(Context& context) {
  std::unique_ptr<Scenario> s;
  base::Result<std::unique_ptr<Execution>> execution =
      base::Fail(base::ErrorCode::kUnimplemented, "the chip neither scales nor multiplies");
  for (const bool is_linear : {false, true}) {
    for (const DType activation : kActivationTypes) {
      if (execution) continue;
      s = std::make_unique<Scenario>(context.random);
      BuildSmallProgram(*s, is_linear, activation);
      execution = Execution::Prepare(context.tested, *s);
      if (!execution && execution.error().code != base::ErrorCode::kUnimplemented) {
        return OutcomeOf(execution.error());
      }
    }
  }
  if (!execution) return OutcomeOf(execution.error());
  Session& session = context.tested;
  const std::span<const sy_binding> bindings = (*execution)->bindings();
  const auto run = [&](std::span<const sy_binding> given) {
    return session.api().program_run((*execution)->program(), given.data(),
                                     static_cast<std::uint32_t>(given.size()),
                                     (*execution)->workspace(), 0, session.queue());
  };
  if (run(bindings.first(1)) == SY_OK) return Failure("a run with too few bindings is accepted");
  std::vector<sy_binding> broken(bindings.begin(), bindings.end());
  broken[1].buffer = nullptr;
  if (run(broken) == SY_OK) return Failure("a run with an unbound slot is accepted");
  broken.assign(bindings.begin(), bindings.end());
  broken[1].offset_bytes = std::uint64_t{1} << 40;
  if (run(broken) == SY_OK) return Failure("a run with a binding beyond its buffer is accepted");
  const auto outputs = (*execution)->Run();
  return outputs ? Pass() : Failure("after refused runs: " + outputs.error().message);
}

Outcome MeasuresItself(Context& context) {
  Session& session = context.tested;
  if (session.api().measure_ceiling == nullptr) return Skip("the chip has no measure_ceiling");
  double value = 0;
  CONFORMANCE_TRY(session.Check(
      session.api().measure_ceiling(session.device(), SY_CEILING_MEMORY_GB_S, SY_F32, &value),
      "measure_ceiling"));
  if (!(value > 0.1 && value < 1e6)) return Failure(fmt::format("memory at {} GB/s", value));
  CONFORMANCE_TRY(session.Check(
      session.api().measure_ceiling(session.device(), SY_CEILING_GFLOP_S, SY_F32, &value),
      "measure_ceiling"));
  if (!(value > 0.01 && value < 1e9))
    return Failure(fmt::format("arithmetic at {} GFLOP/s", value));
  return Pass();
}

}  // namespace

void AddInterfaceCases(std::vector<Case>& cases) {
  const auto add = [&](const std::string& part, const std::string& what,
                       std::function<Outcome(Context&)> run) {
    cases.push_back(InterfaceCase(part, what, std::move(run)));
  };
  add("devices", "describes itself", DescribesItself);
  add("devices", "respects struct_size", RespectsStructSize);
  add("devices", "refuses unknown devices", RefusesUnknownDevices);
  add("memory", "moves bytes", MovesBytes);
  add("memory", "copies within a buffer", CopiesWithinABuffer);
  add("memory", "maps memory", MapsMemory);
  add("memory", "runs out of memory", RunsOutOfMemory);
  add("queues", "events order queues", OrdersQueues);
  for (const DType dtype : WeightTypes()) {
    add("weights", "describes " + Text(dtype),
        [dtype](Context& context) { return DescribesWeights(context, dtype); });
  }
  add("weights", "refuses bad weights", RefusesBadWeights);
  add("programs", "refuses unknown operations", RefusesUnknownOperations);
  add("programs", "refuses bad runs", RefusesBadRuns);
  add("ceilings", "measures itself", MeasuresItself);
}

}  // namespace switchyard::conformance
