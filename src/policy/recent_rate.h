// How many of something came a second lately: the last seconds count most, older ones fade. Pure:
// the times come from the caller and never go back. One owner, one thread.
#pragma once

#include <cstdint>

namespace switchyard::policy {

class RecentRate {
 public:
  explicit RecentRate(double now_s) : start_s_(now_s), last_s_(now_s) {}

  void Count(std::int64_t amount, double now_s);
  double PerSecond(double now_s) const;

 private:
  double start_s_;
  double last_s_;
  double faded_ = 0;  // what was counted, each weighted by how recent it is, as of `last_s_`
};

}  // namespace switchyard::policy
