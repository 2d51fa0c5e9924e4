// Recorded work: that nothing is done while it is recorded, that a replay does all of it with what
// the buffers then hold, and that it can be done again on another queue.
#include "conformance/suite.h"

namespace switchyard::conformance {
namespace {

constexpr std::int64_t kChainWidth = 256;

bool HasCapture(const sy_chip_api& api) {
  return api.capture_begin != nullptr && api.capture_end != nullptr &&
         api.capture_replay != nullptr && api.capture_destroy != nullptr;
}

Outcome OffersAllOrNone(Context& context) {
  const sy_chip_api& api = context.tested.api();
  const int slots = (api.capture_begin != nullptr) + (api.capture_end != nullptr) +
                    (api.capture_replay != nullptr) + (api.capture_destroy != nullptr);
  if (slots == 0) return Skip("the chip has no capture");
  return slots == 4 ? Pass() : Failure(fmt::format("the chip has {} of 4 capture slots", slots));
}

// A chain with a temporary, so that the workspace takes part.
void BuildChain(Scenario& s) {
  Tensor x = s.Floats(DType::kF32, {5, kChainWidth});
  x = s.list.RmsNorm(x, s.Vector(kChainWidth), 1e-5F);
  s.Compare(s.list.Linear(x, s.Matrix(DType::kF32, {48, kChainWidth})), "y", kExact);
  s.Seal();
}

Outcome ReplaysPrograms(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  if (!HasCapture(api)) return Skip("the chip has no capture");
  Scenario s(context.random);
  BuildChain(s);
  auto prepared = Execution::Prepare(session, s);
  if (!prepared) return OutcomeOf(prepared.error());
  Execution& execution = **prepared;
  const auto plain = execution.Run();
  if (!plain) return OutcomeOf(plain.error());

  auto made = session.CreateQueue();
  if (!made) return OutcomeOf(made.error());
  sy_queue* const queue = made->get();
  CONFORMANCE_TRY(execution.FillArguments(session.queue()));
  const auto untouched = execution.ReadResults(session.queue());
  if (!untouched) return OutcomeOf(untouched.error());

  CONFORMANCE_TRY(session.Check(api.capture_begin(queue), "capture_begin"));
  CONFORMANCE_TRY(execution.Launch(queue));
  if (api.queue_sync(queue) == SY_OK) return Failure("queue_sync works while recording");
  sy_capture* recorded = nullptr;
  CONFORMANCE_TRY(session.Check(api.capture_end(queue, &recorded), "capture_end"));
  const Handle<sy_capture> capture(recorded, api.capture_destroy);
  CONFORMANCE_TRY(session.Check(api.queue_sync(queue), "queue_sync"));
  const auto recorded_only = execution.ReadResults(session.queue());
  if (!recorded_only) return OutcomeOf(recorded_only.error());
  if (*recorded_only != *untouched) return Failure("recording a run already ran it");

  for (sy_queue* const on : {queue, session.queue(), queue}) {
    CONFORMANCE_TRY(execution.FillArguments(session.queue()));
    CONFORMANCE_TRY(session.Check(api.queue_sync(session.queue()), "queue_sync"));
    CONFORMANCE_TRY(session.Check(api.capture_replay(capture.get(), on), "capture_replay"));
    CONFORMANCE_TRY(session.Check(api.queue_sync(on), "queue_sync"));
    const auto replayed = execution.ReadResults(session.queue());
    if (!replayed) return OutcomeOf(replayed.error());
    if (*replayed != *plain) return Failure("a replay gives other results than a run");
  }
  return Pass();
}

// Copies and fills read what is there when they are replayed.
Outcome ReplaysCopies(Context& context) {
  Session& session = context.tested;
  const sy_chip_api& api = session.api();
  if (!HasCapture(api)) return Skip("the chip has no capture");
  constexpr std::size_t kBytes = 4096;
  auto from = session.CreateBuffer(kBytes);
  auto to = session.CreateBuffer(kBytes);
  if (!from || !to) return Failure("two small buffers cannot be had");
  sy_queue* const queue = session.queue();
  CONFORMANCE_TRY(session.Check(api.capture_begin(queue), "capture_begin"));
  CONFORMANCE_TRY(session.Check(api.fill(queue, to->get(), 0, 0x21, kBytes), "fill"));
  CONFORMANCE_TRY(session.Check(api.copy(queue, to->get(), 0, from->get(), 64, 1000), "copy"));
  sy_capture* recorded = nullptr;
  CONFORMANCE_TRY(session.Check(api.capture_end(queue, &recorded), "capture_end"));
  const Handle<sy_capture> capture(recorded, api.capture_destroy);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::byte> bytes(kBytes);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(context.random());
    CONFORMANCE_TRY(session.Upload(from->get(), 0, bytes.data(), kBytes));
    CONFORMANCE_TRY(session.Check(api.capture_replay(capture.get(), queue), "capture_replay"));
    std::vector<std::byte> expected(kBytes, std::byte{0x21});
    std::copy_n(bytes.begin() + 64, 1000, expected.begin());
    std::vector<std::byte> actual(kBytes);
    CONFORMANCE_TRY(session.Download(actual.data(), to->get(), 0, kBytes));
    if (actual != expected) return Failure(fmt::format("replay {} copied other bytes", round));
  }
  return Pass();
}

}  // namespace

void AddCaptureCases(std::vector<Case>& cases) {
  cases.push_back({"capture/slots", "capture", "slots", OffersAllOrNone});
  cases.push_back({"capture/programs", "capture", "programs", ReplaysPrograms});
  cases.push_back({"capture/copies", "capture", "copies", ReplaysCopies});
}

}  // namespace switchyard::conformance
