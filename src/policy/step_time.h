// How long a step takes, learnt from those that were: a base and a time for each token, fitted with
// the past forgotten by and by. From it follows how much prefill fits beside decoding without
// making those who read wait. Pure: the times come from the caller. One owner, one thread.
#pragma once

#include <cstdint>
#include <optional>

namespace switchyard::policy {

class StepTime {
 public:
  void Observe(std::int64_t tokens, double seconds);
  // The tokens that a step may have to end in `seconds`; `unknown` while too little was seen.
  std::int64_t TokensWithin(double seconds, std::int64_t unknown) const;
  // The tokens of prompts that go into a step which decodes `decoding` sequences: what lets it end
  // in `seconds`, or in four times the time of decoding alone where that is more. Else a machine
  // that needs most of `seconds` for decoding would hardly read a prompt, its batch would stay
  // small, and it would stay slow. At least as many as decode, if `most` allows.
  std::int64_t PromptTokensBeside(std::int64_t decoding, double seconds, std::int64_t most) const;

 private:
  struct Line {
    double base_s;   // >= 0
    double token_s;  // > 0
  };
  std::optional<Line> Fit() const;

  // Sums over observations, each weighted by how recent it is.
  double weight_ = 0;
  double x_ = 0;
  double y_ = 0;
  double xx_ = 0;
  double xy_ = 0;
};

}  // namespace switchyard::policy
