// Holds the logits of a model on chip B against those on chip A: prefill and decode, short and long
// contexts, one sequence and many at once, always on the same tokens; then the texts that each
// writes by itself. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/examination.h"
#include "engine/runner.h"

namespace switchyard::certify {

struct Prompt {
  std::string name;
  std::vector<model::TokenId> tokens;
};

struct EquivalenceOptions {
  std::int64_t positions = 2048;      // of short prefills, about
  std::int64_t long_context = 1536;   // at most the runners' context, less 128
  std::int64_t long_positions = 256;  // of it that are compared
  std::int64_t decode_steps = 64;     // of each decode
  std::int64_t batch = 16;            // sequences at once; the runners must hold as many
  std::int64_t greedy_tokens = 64;    // of each prompt
};

// What the runners need to be for these options.
engine::RunnerOptions RunnerOptionsFor(const EquivalenceOptions& options,
                                       const model::ModelConfig& config);

// `passages`: texts; together they are the long context, repeated if they are too short.
base::Result<std::vector<Divergence>> MeasureDivergences(
    engine::Runner& a, engine::Runner& b, const std::vector<std::vector<model::TokenId>>& passages,
    const EquivalenceOptions& options, const Progress& progress);

base::Result<std::vector<GreedyText>> CompareGreedyTexts(engine::Runner& a, engine::Runner& b,
                                                         const std::vector<Prompt>& prompts,
                                                         std::span<const model::TokenId> end_tokens,
                                                         const EquivalenceOptions& options,
                                                         const Progress& progress);

}  // namespace switchyard::certify
