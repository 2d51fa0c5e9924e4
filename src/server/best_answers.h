// Which of several answers to a prompt are the best: those of the highest mean log-probability of
// their tokens, as OpenAI's best_of means it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace switchyard::server {

struct RatedAnswer {
  double logprob_sum = 0;
  std::int64_t tokens = 0;
};

// The indices of the `count` best, the best first; among equals the earlier.
std::vector<std::size_t> BestAnswers(std::span<const RatedAnswer> answers, std::size_t count);

}  // namespace switchyard::server
