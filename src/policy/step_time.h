// How long a step takes, learnt from those that were: a base and a time for each token, fitted with
// the past forgotten by and by. From it follows how much prefill fits beside decoding without
// making those who read wait. Pure: the times come from the caller. One owner, one thread.
#pragma once

#include <cstdint>

namespace switchyard::policy {

class StepTime {
 public:
  void Observe(std::int64_t tokens, double seconds);
  // The tokens that a step may have to end in `seconds`; `unknown` while too little was seen.
  std::int64_t TokensWithin(double seconds, std::int64_t unknown) const;

 private:
  // Sums over observations, each weighted by how recent it is.
  double weight_ = 0;
  double x_ = 0;
  double y_ = 0;
  double xx_ = 0;
  double xy_ = 0;
};

}  // namespace switchyard::policy
