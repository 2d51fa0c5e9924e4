#include "grammar/token_mask.h"

#include <algorithm>

namespace switchyard::grammar {

bool TokenMask::empty() const {
  return std::ranges::all_of(words_, [](std::uint64_t word) { return word == 0; });
}

void TokenMask::Apply(std::span<float> logits) const {
  constexpr float kNever = -std::numeric_limits<float>::infinity();
  const std::size_t covered = std::min(words_.size() * kBits, logits.size());
  for (std::size_t first = 0; first < covered; first += kBits) {
    const std::uint64_t word = words_[first / kBits];
    const auto part = logits.subspan(first, std::min(kBits, covered - first));
    if (word == 0) {
      std::ranges::fill(part, kNever);
    } else if (~word != 0) {
      for (std::size_t i = 0; i < part.size(); ++i) {
        part[i] = ((word >> i) & 1) != 0 ? part[i] : kNever;
      }
    }
  }
  std::ranges::fill(logits.subspan(covered), kNever);
}

}  // namespace switchyard::grammar
