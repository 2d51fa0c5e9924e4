// The suite: named cases, each of which drives the chip under test through the chip interface and
// compares it with the reference or with what the interface promises.
//
// A case's name is a path: operation (or part of the interface), activation type, weight type or
// trait, shape. Cases are independent: each draws its numbers from the seed and its own name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "conformance/comparison.h"
#include "conformance/scenario.h"
#include "conformance/session.h"

namespace switchyard::conformance {

enum class Verdict { kPass, kFail, kSkip };

struct Outcome {
  Verdict verdict = Verdict::kPass;
  std::string reason;  // of a failure or a skip; of a pass, what is worth saying
  double max_error = 0;
  double nmse = 0;
  // How much of the tolerance the worst result took: 1 is at the edge.
  double share_of_tolerance = 0;
};

Outcome Pass();
Outcome Failure(std::string reason);
Outcome Skip(std::string reason);
// A status that is no success: kUnimplemented is a skip, anything else a failure.
Outcome OutcomeOf(const base::Error& error);
Outcome OutcomeOf(const Difference& difference);

// For the body of a case: any failed status is the case's outcome.
#define CONFORMANCE_TRY(expression)                                                          \
  do {                                                                                       \
    if (const base::Status status = (expression); !status) return OutcomeOf(status.error()); \
  } while (false)

struct Context {
  Session& tested;
  Session& truth;
  Random random;
};

struct Case {
  std::string name;
  // Row and column of the coverage table: "linear f32" and "q4_0".
  std::string row;
  std::string column;
  std::function<Outcome(Context&)> run;
};

// Runs a sealed scenario on both: twice on the chip under test, which must give the same bits.
Outcome CompareWithTruth(Context& context, const Scenario& scenario);
// Builds scenarios one after the other and stops at the first that does not pass; errors are the
// largest of all.
Outcome CompareEach(Context& context, int count,
                    const std::function<void(Scenario&, int index)>& build);

// The body's outcome with the first type of activations that the chip takes: for what has nothing
// to do with the type.
Outcome WithAnyActivations(const std::function<Outcome(tensor::DType activation)>& body);

// A case that compares one scenario, which `build` makes from an empty one and leaves unsealed or
// sealed.
Case ScenarioCase(std::string name, std::string row, std::string column,
                  std::function<void(Scenario&)> build);

void AddRowCases(std::vector<Case>& cases);         // norms, elementwise, gathers, embedding, rope
void AddLinearCases(std::vector<Case>& cases);      // linear, grouped, batched
void AddAttentionCases(std::vector<Case>& cases);   // kv_store, attention
void AddSelectionCases(std::vector<Case>& cases);   // top_k, router_top_k, combine
void AddLayerCases(std::vector<Case>& cases);       // chains of operations
void AddInvarianceCases(std::vector<Case>& cases);  // batches, threads, poisoned rows
void AddCaptureCases(std::vector<Case>& cases);     // recorded work
void AddInterfaceCases(std::vector<Case>& cases);   // what a chip says of itself; bytes, weights
void AddDeviceCases(std::vector<Case>& cases);      // opened twice, again and again, lost; memory
void AddQueueCases(std::vector<Case>& cases);       // many queues, threads and events
void AddErrorCases(std::vector<Case>& cases);       // each documented failure
void AddIndexCases(std::vector<Case>& cases);       // indices from outside of what they name

// A part of the interface rather than an operation: "interface/queues/many_at_once".
Case InterfaceCase(const std::string& part, std::string what, std::function<Outcome(Context&)> run);

std::vector<Case> AllCases();

struct CaseResult {
  const Case* which = nullptr;
  Outcome outcome;
  double seconds = 0;
};

// Whether the name contains one of the texts that `filter` lists, separated by commas.
bool Matches(std::string_view name, std::string_view filter);

// Each case whose name matches, in order.
std::vector<CaseResult> RunCases(const std::vector<Case>& cases, std::string_view filter,
                                 Session& tested, Session& truth, std::uint64_t seed);

}  // namespace switchyard::conformance
