// Queues, events and threads: many at once, chains of waiting, what an event waits for, work that
// is in flight when its queue is destroyed; and copies at every awkward place and length.
#include <algorithm>
#include <array>
#include <thread>

#include "conformance/suite.h"
#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;
using base::Fail;

template <typename T>
struct Made {
  std::vector<Handle<T>> all;
  T* operator[](std::size_t i) const { return all[i].get(); }
};

template <typename T, typename Make>
base::Result<Made<T>> MakeMany(std::size_t count, Make make) {
  Made<T> made;
  for (std::size_t i = 0; i < count; ++i) {
    auto one = make();
    if (!one) {
      return Fail(one.error().code, "number {} of {}: {}", i + 1, count, one.error().message);
    }
    made.all.push_back(std::move(*one));
  }
  return made;
}

// ---- Bytes --------------------------------------------------------------------------------------

constexpr std::array<std::size_t, 9> kPlaces = {0, 1, 3, 4, 63, 64, 65, 4095, 4097};
constexpr std::array<std::size_t, 10> kLengths = {0, 1, 2, 3, 7, 64, 65, 4096, 4097, 70'001};

// One transfer of each kind at each place and length: neighbours stay as they were.
Outcome MovesAnywhere(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  constexpr std::size_t kBytes = 80'011;
  auto tested = session.CreateBuffer(kBytes);
  auto source = session.CreateBuffer(kBytes);
  if (!tested || !source) return Failure("two buffers cannot be had");
  const std::vector<std::byte> before = RandomBytes(context.random, kBytes);
  const std::vector<std::byte> other = RandomBytes(context.random, kBytes);
  CONFORMANCE_TRY(session.Upload(source->get(), 0, other.data(), kBytes));
  CONFORMANCE_TRY(session.Upload(tested->get(), 0, before.data(), kBytes));
  std::vector<std::byte> expected = before;
  std::vector<std::byte> actual(kBytes);
  for (const std::size_t at : kPlaces) {
    for (const std::size_t length : kLengths) {
      const auto to = expected.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t from_at = (at * 7 + length) % 5000;
      const auto from = other.begin() + static_cast<std::ptrdiff_t>(from_at);
      for (const std::string_view kind : {"upload", "copy", "fill"}) {
        sy_status answer = SY_OK;
        if (kind == "upload") {
          answer = api.upload(session.queue(), tested->get(), at, other.data() + from_at, length);
          std::copy_n(from, length, to);
        } else if (kind == "copy") {
          answer = api.copy(session.queue(), tested->get(), at, source->get(), from_at, length);
          std::copy_n(from, length, to);
        } else {
          const auto value = static_cast<std::uint8_t>(at + length);
          answer = api.fill(session.queue(), tested->get(), at, value, length);
          std::fill_n(to, length, std::byte{value});
        }
        CONFORMANCE_TRY(session.Check(answer, kind));
        // The place itself and 100 bytes on both sides.
        const std::size_t first = at < 100 ? 0 : at - 100;
        const std::size_t count = std::min(at + length + 100, kBytes) - first;
        CONFORMANCE_TRY(session.Download(actual.data(), tested->get(), first, count));
        const auto want = expected.begin() + static_cast<std::ptrdiff_t>(first);
        const auto end = actual.begin() + static_cast<std::ptrdiff_t>(count);
        const auto wrong = std::mismatch(actual.begin(), end, want).first;
        if (wrong != end) {
          return Failure(fmt::format("a {} of {} bytes to byte {} leaves byte {} wrong", kind,
                                     length, at,
                                     first + static_cast<std::size_t>(wrong - actual.begin())));
        }
      }
    }
  }
  CONFORMANCE_TRY(session.Download(actual.data(), tested->get(), 0, kBytes));
  return actual == expected ? Pass() : Failure("a far byte changed");
}

Outcome HasBuffersOfNothing(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  auto none = session.CreateBuffer(0);
  if (!none) return OutcomeOf(none.error());
  auto some = session.CreateBuffer(64);
  if (!some) return OutcomeOf(some.error());
  std::byte byte{7};
  sy_queue* const queue = session.queue();
  CONFORMANCE_TRY(session.Check(api.upload(queue, none->get(), 0, &byte, 0), "upload of nothing"));
  CONFORMANCE_TRY(
      session.Check(api.download(queue, &byte, none->get(), 0, 0), "download of nothing"));
  CONFORMANCE_TRY(session.Check(api.copy(queue, none->get(), 0, some->get(), 64, 0),
                                "copy of nothing from a buffer's end"));
  CONFORMANCE_TRY(session.Check(api.fill(queue, some->get(), 64, 1, 0), "fill of nothing"));
  CONFORMANCE_TRY(session.Check(api.queue_sync(queue), "queue_sync"));
  if (byte != std::byte{7}) return Failure("a download of nothing wrote something");
  return Pass();
}

Outcome RefusesPlacesOutside(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  sy_queue* const queue = session.queue();
  auto small = session.CreateBuffer(100);
  auto large = session.CreateBuffer(300);
  if (!small || !large) return Failure("two small buffers cannot be had");
  const std::vector<std::byte> bytes = RandomBytes(context.random, 300);
  CONFORMANCE_TRY(session.Upload(small->get(), 0, bytes.data(), 100));
  std::vector<std::byte> host(300);
  constexpr std::uint64_t kFar = ~std::uint64_t{0};
  const std::array<std::pair<std::uint64_t, std::uint64_t>, 5> places = {
      {{0, 101}, {100, 1}, {101, 0}, {kFar, 2}, {2, kFar}}};
  for (const auto& [at, length] : places) {
    for (const auto& [name, status] :
         {std::pair{"upload", api.upload(queue, small->get(), at, bytes.data(), length)},
          {"download", api.download(queue, host.data(), small->get(), at, length)},
          {"copy to", api.copy(queue, small->get(), at, large->get(), 0, length)},
          {"copy from", api.copy(queue, large->get(), 0, small->get(), at, length)},
          {"fill", api.fill(queue, small->get(), at, 9, length)}}) {
      const bool is_nothing = length == 0;  // succeeds or not: it does nothing
      if (is_nothing || status == static_cast<sy_status>(SY_INVALID_ARGUMENT)) continue;
      return Failure(fmt::format("{} {} bytes at byte {} of 100 gives status {}, not {}", name,
                                 length, at, status, static_cast<sy_status>(SY_INVALID_ARGUMENT)));
    }
  }
  std::vector<std::byte> actual(100);
  CONFORMANCE_TRY(session.Download(actual.data(), small->get(), 0, 100));
  if (!std::equal(actual.begin(), actual.end(), bytes.begin())) {
    return Failure("a refused transfer changed the buffer");
  }
  const bool is_untouched =
      std::ranges::all_of(host, [](std::byte byte) { return byte == std::byte{}; });
  return is_untouched ? Pass() : Failure("a refused download wrote to the host");
}

// ---- Events -------------------------------------------------------------------------------------

Outcome NeverRecordedHoldsNothingUp(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  auto event = session.CreateEvent();
  auto buffer = session.CreateBuffer(64);
  if (!event || !buffer) return Failure("an event and a buffer cannot be had");
  CONFORMANCE_TRY(session.Check(api.event_sync(event->get()), "event_sync before any record"));
  CONFORMANCE_TRY(
      session.Check(api.event_wait(session.queue(), event->get()), "event_wait before any record"));
  CONFORMANCE_TRY(session.Check(api.fill(session.queue(), buffer->get(), 0, 5, 64), "fill"));
  CONFORMANCE_TRY(session.Check(api.queue_sync(session.queue()), "queue_sync"));
  // Recorded and awaited on one and the same queue, with nothing before it.
  CONFORMANCE_TRY(session.Check(api.event_record(session.queue(), event->get()), "event_record"));
  CONFORMANCE_TRY(session.Check(api.event_wait(session.queue(), event->get()), "event_wait"));
  CONFORMANCE_TRY(session.Check(api.event_sync(event->get()), "event_sync"));
  CONFORMANCE_TRY(session.Check(api.event_sync(event->get()), "event_sync once more"));
  CONFORMANCE_TRY(session.Check(api.queue_sync(session.queue()), "queue_sync"));
  return Pass();
}

// A wait is for the last record before it, whatever is recorded later; recorded again, an event
// stands for the new point.
Outcome WaitsForTheLastRecord(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  constexpr std::size_t kBytes = 1 << 20;
  auto made_queues = MakeMany<sy_queue>(3, [&] { return session.CreateQueue(); });
  auto made_events = MakeMany<sy_event>(2, [&] { return session.CreateEvent(); });
  auto made_buffers = MakeMany<sy_buffer>(2, [&] { return session.CreateBuffer(kBytes); });
  if (!made_queues) return OutcomeOf(made_queues.error());
  if (!made_events) return OutcomeOf(made_events.error());
  if (!made_buffers) return OutcomeOf(made_buffers.error());
  const auto& queues = *made_queues;
  sy_event* const written = (*made_events)[0];
  sy_event* const copied = (*made_events)[1];
  sy_buffer* const x = (*made_buffers)[0];
  sy_buffer* const y = (*made_buffers)[1];
  for (int round = 0; round < 5; ++round) {
    const auto first = RandomBytes(context.random, kBytes);
    const auto second = RandomBytes(context.random, kBytes);
    CONFORMANCE_TRY(session.Check(api.upload(queues[0], x, 0, first.data(), kBytes), "upload"));
    CONFORMANCE_TRY(session.Check(api.event_record(queues[0], written), "event_record"));
    CONFORMANCE_TRY(session.Check(api.event_wait(queues[1], written), "event_wait"));
    CONFORMANCE_TRY(session.Check(api.copy(queues[1], y, 0, x, 0, kBytes), "copy"));
    CONFORMANCE_TRY(session.Check(api.event_record(queues[1], copied), "event_record"));
    CONFORMANCE_TRY(session.Check(api.event_wait(queues[0], copied), "event_wait"));
    CONFORMANCE_TRY(session.Check(api.upload(queues[0], x, 0, second.data(), kBytes), "upload"));
    CONFORMANCE_TRY(session.Check(api.event_record(queues[0], written), "recording again"));
    CONFORMANCE_TRY(session.Check(api.event_sync(written), "event_sync"));
    std::vector<std::byte> in_x(kBytes);
    std::vector<std::byte> in_y(kBytes);
    // On a third queue, which waits for nothing itself: event_sync has waited for everything.
    CONFORMANCE_TRY(session.Check(api.download(queues[2], in_x.data(), x, 0, kBytes), "download"));
    CONFORMANCE_TRY(session.Check(api.download(queues[2], in_y.data(), y, 0, kBytes), "download"));
    CONFORMANCE_TRY(session.Check(api.queue_sync(queues[2]), "queue_sync"));
    if (in_x != second) return Failure("event_sync did not wait for the event as recorded again");
    if (in_y != first) return Failure("the copy did not see what was written before the record");
    CONFORMANCE_TRY(session.Check(api.queue_sync(queues[0]), "queue_sync"));
    CONFORMANCE_TRY(session.Check(api.queue_sync(queues[1]), "queue_sync"));
  }
  return Pass();
}

// ---- Many queues --------------------------------------------------------------------------------

// A buffer handed on from queue to queue, each of which waits for the one before; nothing is
// synchronised until all of it has been given.
Outcome ChainsQueues(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  constexpr std::size_t kQueues = 16;
  constexpr std::size_t kBytes = 200'003;
  auto made_queues = MakeMany<sy_queue>(kQueues, [&] { return session.CreateQueue(); });
  auto made_events = MakeMany<sy_event>(kQueues, [&] { return session.CreateEvent(); });
  auto made_buffers =
      MakeMany<sy_buffer>(kQueues + 1, [&] { return session.CreateBuffer(kBytes); });
  if (!made_queues) return OutcomeOf(made_queues.error());
  if (!made_events) return OutcomeOf(made_events.error());
  if (!made_buffers) return OutcomeOf(made_buffers.error());
  const auto& queues = *made_queues;
  const auto& events = *made_events;
  const auto& buffers = *made_buffers;
  for (int round = 0; round < 4; ++round) {
    const std::vector<std::byte> bytes = RandomBytes(context.random, kBytes);
    // The last of the round before must be done with the first buffers.
    CONFORMANCE_TRY(session.Check(api.event_wait(queues[0], events[kQueues - 1]), "event_wait"));
    CONFORMANCE_TRY(
        session.Check(api.upload(queues[0], buffers[0], 0, bytes.data(), kBytes), "upload"));
    for (std::size_t i = 0; i < kQueues; ++i) {
      if (i > 0) {
        CONFORMANCE_TRY(session.Check(api.event_wait(queues[i], events[i - 1]), "event_wait"));
      }
      CONFORMANCE_TRY(
          session.Check(api.copy(queues[i], buffers[i + 1], 0, buffers[i], 0, kBytes), "copy"));
      // So that a queue which does not wait finds something else.
      CONFORMANCE_TRY(session.Check(api.fill(queues[i], buffers[i], 0, 0xee, kBytes), "fill"));
      CONFORMANCE_TRY(session.Check(api.event_record(queues[i], events[i]), "event_record"));
    }
    std::vector<std::byte> actual(kBytes);
    sy_queue* const last = queues[kQueues - 1];
    CONFORMANCE_TRY(
        session.Check(api.download(last, actual.data(), buffers[kQueues], 0, kBytes), "download"));
    CONFORMANCE_TRY(session.Check(api.queue_sync(last), "queue_sync"));
    if (actual != bytes) {
      return Failure(fmt::format("what went through {} queues came out changed", kQueues));
    }
    for (std::size_t i = 0; i < kQueues; ++i) {
      CONFORMANCE_TRY(session.Check(api.queue_sync(queues[i]), "queue_sync"));
    }
  }
  return Pass();
}

// What one thread does with its queue: random transfers against a model in host memory, and runs of
// a program where the chip has one.
struct Lane {
  Random random{0};
  Handle<sy_queue> queue{nullptr, nullptr};
  std::unique_ptr<Scenario> scenario;
  std::unique_ptr<Execution> execution;
  Outputs alone;
  base::Status end;
};

base::Status UseLane(Session& session, Lane& lane) {
  constexpr std::size_t kBytes = 30'011;
  const sy_chip_api& api = session.api();
  SWITCHYARD_TRY(const auto first, session.CreateBuffer(kBytes));
  SWITCHYARD_TRY(const auto second, session.CreateBuffer(kBytes));
  SWITCHYARD_TRY(const auto event, session.CreateEvent());
  std::vector<std::byte> expected;
  for (int round = 0; round < 12; ++round) {
    expected = RandomBytes(lane.random, kBytes);
    const auto at = static_cast<std::size_t>(lane.random() % 10'000);
    const auto value = static_cast<std::uint8_t>(lane.random());
    sy_queue* const queue = lane.queue.get();
    SWITCHYARD_RETURN_IF_ERROR(
        session.Check(api.upload(queue, first.get(), 0, expected.data(), kBytes), "upload"));
    SWITCHYARD_RETURN_IF_ERROR(
        session.Check(api.copy(queue, second.get(), 0, first.get(), 0, kBytes), "copy"));
    SWITCHYARD_RETURN_IF_ERROR(
        session.Check(api.fill(queue, second.get(), at, value, 1000), "fill"));
    std::vector<std::byte> actual(kBytes);
    SWITCHYARD_RETURN_IF_ERROR(
        session.Check(api.download(queue, actual.data(), second.get(), 0, kBytes), "download"));
    SWITCHYARD_RETURN_IF_ERROR(session.Check(api.event_record(queue, event.get()), "event_record"));
    SWITCHYARD_RETURN_IF_ERROR(session.Check(api.event_sync(event.get()), "event_sync"));
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(at), 1000, std::byte{value});
    if (actual != expected) {
      return Fail(ErrorCode::kDataLoss, "a queue's bytes are wrong among others");
    }
    if (lane.execution == nullptr) continue;
    SWITCHYARD_TRY(const Outputs outputs, lane.execution->Run(queue));
    if (outputs != lane.alone) {
      return Fail(ErrorCode::kDataLoss, "a run's results differ from those of a run alone");
    }
  }
  return {};
}

Outcome ManyAtOnce(Context& context) {
  constexpr int kQueues = 24;
  Session& session = context.tested;
  std::vector<Lane> lanes(kQueues);
  for (Lane& lane : lanes) {
    lane.random = Random(context.random());
    auto queue = session.CreateQueue();
    if (!queue) return OutcomeOf(queue.error());
    lane.queue = std::move(*queue);
    lane.scenario = std::make_unique<Scenario>(context.random);
    Scenario& s = *lane.scenario;
    const Tensor x = s.Floats(DType::kF32, {static_cast<std::int64_t>(1 + lane.random() % 9), 128});
    s.Compare(s.list.Scale(s.list.Scale(x, 0.3F), -2), "y", kExact);
    s.Seal();
    auto execution = Execution::Prepare(session, s);
    if (!execution && execution.error().code == ErrorCode::kUnimplemented) continue;
    if (!execution) return OutcomeOf(execution.error());
    lane.execution = std::move(*execution);
    auto alone = lane.execution->Run();
    if (!alone) return OutcomeOf(alone.error());
    lane.alone = std::move(*alone);
  }
  {
    std::vector<std::jthread> threads;
    for (Lane& lane : lanes) {
      threads.emplace_back([&session, &lane] {
        lane.end = UseLane(session, lane);
        lane.queue.reset();  // made by another thread
      });
    }
  }
  for (const Lane& lane : lanes) {
    if (!lane.end) return Failure(lane.end.error().message);
  }
  return Pass();
}

// Destruction waits: what was given to a queue is done when its destruction returns.
Outcome DestroysAfterItsWork(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  constexpr std::size_t kBytes = 4 << 20;
  auto first = session.CreateBuffer(kBytes);
  auto second = session.CreateBuffer(kBytes);
  if (!first || !second) return Failure("two buffers cannot be had");
  for (int round = 0; round < 3; ++round) {
    auto queue = session.CreateQueue();
    if (!queue) return OutcomeOf(queue.error());
    const auto last = static_cast<std::uint8_t>(context.random());
    for (int i = 20; i >= 0; --i) {
      CONFORMANCE_TRY(session.Check(
          api.fill(queue->get(), first->get(), 0, static_cast<std::uint8_t>(last + i), kBytes),
          "fill"));
      CONFORMANCE_TRY(
          session.Check(api.copy(queue->get(), second->get(), 0, first->get(), 0, kBytes), "copy"));
    }
    queue->reset();
    std::vector<std::byte> actual(kBytes);
    CONFORMANCE_TRY(session.Download(actual.data(), second->get(), 0, kBytes));
    const bool is_done =
        std::ranges::all_of(actual, [last](std::byte byte) { return byte == std::byte{last}; });
    if (!is_done) return Failure("a queue was destroyed before its work was done");
  }
  return Pass();
}

}  // namespace

void AddQueueCases(std::vector<Case>& cases) {
  cases.push_back(InterfaceCase("memory", "moves anywhere", MovesAnywhere));
  cases.push_back(InterfaceCase("memory", "has buffers of nothing", HasBuffersOfNothing));
  cases.push_back(InterfaceCase("memory", "refuses places outside", RefusesPlacesOutside));
  cases.push_back(
      InterfaceCase("events", "never recorded holds nothing up", NeverRecordedHoldsNothingUp));
  cases.push_back(InterfaceCase("events", "waits for the last record", WaitsForTheLastRecord));
  cases.push_back(InterfaceCase("queues", "chains", ChainsQueues));
  cases.push_back(InterfaceCase("queues", "many at once", ManyAtOnce));
  cases.push_back(InterfaceCase("queues", "destroys after its work", DestroysAfterItsWork));
}

}  // namespace switchyard::conformance
