#include "conformance/suite.h"

#include <algorithm>
#include <chrono>

#include "conformance/types.h"

namespace switchyard::conformance {
namespace {

// FNV-1a (Fowler, Noll, Vo): the same on every machine, unlike std::hash.
std::uint64_t HashName(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

}  // namespace

Outcome Pass() { return {}; }

Outcome Failure(std::string reason) {
  Outcome outcome;
  outcome.verdict = Verdict::kFail;
  outcome.reason = std::move(reason);
  return outcome;
}

Outcome Skip(std::string reason) {
  Outcome outcome;
  outcome.verdict = Verdict::kSkip;
  outcome.reason = std::move(reason);
  return outcome;
}

Outcome OutcomeOf(const base::Error& error) {
  return error.code == base::ErrorCode::kUnimplemented ? Skip(error.message)
                                                       : Failure(error.message);
}

Outcome OutcomeOf(const Difference& difference) {
  Outcome outcome = difference.is_within() ? Pass() : Failure(difference.complaint);
  outcome.max_error = difference.max_error;
  outcome.nmse = difference.nmse;
  outcome.share_of_tolerance = difference.share;
  return outcome;
}

Outcome CompareWithTruth(Context& context, const Scenario& scenario) {
  auto tested = Execution::Prepare(context.tested, scenario);
  if (!tested) return OutcomeOf(tested.error());
  auto truth = Execution::Prepare(context.truth, scenario);
  if (!truth) return Failure("the reference: " + truth.error().message);
  const base::Result<Outputs> expected = (*truth)->Run();
  if (!expected) return Failure("the reference: " + expected.error().message);
  const base::Result<Outputs> actual = (*tested)->Run();
  if (!actual) return Failure(actual.error().message);
  const Difference difference = CompareAll(scenario, *actual, *expected);
  Outcome outcome = OutcomeOf(difference);
  if (!difference.is_within()) return outcome;
  const base::Result<Outputs> again = (*tested)->Run();
  if (!again) return Failure("the second run: " + again.error().message);
  if (*again != *actual) return Failure("the second run gave other bits than the first");
  return outcome;
}

Outcome CompareEach(Context& context, int count,
                    const std::function<void(Scenario&, int index)>& build) {
  Outcome worst;
  for (int i = 0; i < count; ++i) {
    Scenario scenario(context.random);
    build(scenario, i);
    scenario.Seal();
    Outcome one = CompareWithTruth(context, scenario);
    if (one.verdict == Verdict::kSkip) return one;
    if (one.verdict == Verdict::kFail) {
      one.reason = fmt::format("step {}: {}", i, one.reason);
      return one;
    }
    worst.max_error = std::max(worst.max_error, one.max_error);
    worst.nmse = std::max(worst.nmse, one.nmse);
    worst.share_of_tolerance = std::max(worst.share_of_tolerance, one.share_of_tolerance);
  }
  return worst;
}

Outcome WithAnyActivations(const std::function<Outcome(tensor::DType activation)>& body) {
  Outcome outcome;
  for (const tensor::DType activation : kActivationTypes) {
    outcome = body(activation);
    if (outcome.verdict != Verdict::kSkip) break;
  }
  return outcome;
}

Case ScenarioCase(std::string name, std::string row, std::string column,
                  std::function<void(Scenario&)> build) {
  return {std::move(name), std::move(row), std::move(column), [build](Context& context) {
            Scenario scenario(context.random);
            build(scenario);
            if (scenario.tensors.empty()) scenario.Seal();
            return CompareWithTruth(context, scenario);
          }};
}

Case InterfaceCase(const std::string& part, std::string what,
                   std::function<Outcome(Context&)> run) {
  std::string name = "interface/" + part + "/" + what;
  std::ranges::replace(name, ' ', '_');
  return {std::move(name), "interface: " + part, std::move(what), std::move(run)};
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  AddInterfaceCases(cases);
  AddDeviceCases(cases);
  AddQueueCases(cases);
  AddErrorCases(cases);
  AddIndexCases(cases);
  AddRowCases(cases);
  AddLinearCases(cases);
  AddAttentionCases(cases);
  AddSelectionCases(cases);
  AddLayerCases(cases);
  AddInvarianceCases(cases);
  AddCaptureCases(cases);
  return cases;
}

bool Matches(std::string_view name, std::string_view filter) {
  while (true) {
    const std::size_t comma = filter.find(',');
    if (name.find(filter.substr(0, comma)) != std::string_view::npos) return true;
    if (comma == std::string_view::npos) return false;
    filter.remove_prefix(comma + 1);
  }
}

std::vector<CaseResult> RunCases(const std::vector<Case>& cases, std::string_view filter,
                                 Session& tested, Session& truth, std::uint64_t seed) {
  std::vector<CaseResult> results;
  for (const Case& one : cases) {
    if (!Matches(one.name, filter)) continue;
    Context context{tested, truth, Random(seed ^ HashName(one.name))};
    const auto begin = std::chrono::steady_clock::now();
    Outcome outcome = one.run(context);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    results.push_back({&one, std::move(outcome), took.count()});
  }
  return results;
}

}  // namespace switchyard::conformance
