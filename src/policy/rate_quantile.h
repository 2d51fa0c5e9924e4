// A rate as samples show it that are often too low, where others were served meanwhile, and now and
// then far too high: about what four in five do not exceed. A single one moves it by a tenth at
// most, once there were ten. Pure. One owner, one thread.
#pragma once

#include <cstdint>

namespace switchyard::policy {

class RateQuantile {
 public:
  void Add(double rate);  // above 0
  double value() const { return value_; }  // 0: nothing was seen

 private:
  double value_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace switchyard::policy
