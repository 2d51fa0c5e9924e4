#include "server/best_answers.h"

#include <algorithm>
#include <numeric>

namespace switchyard::server {

std::vector<std::size_t> BestAnswers(std::span<const RatedAnswer> answers, std::size_t count) {
  const auto mean = [&](std::size_t index) {
    const RatedAnswer& answer = answers[index];
    return answer.logprob_sum / static_cast<double>(std::max<std::int64_t>(1, answer.tokens));
  };
  std::vector<std::size_t> order(answers.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return mean(a) > mean(b); });
  order.resize(std::min(count, order.size()));
  return order;
}

}  // namespace switchyard::server
