// How many requests may be sent again: a share of those that came, and a few a second, so that
// retries never multiply the load of a fleet that is failing under it. Clients retry too.
//
// Pure: the time comes from the caller, in seconds of a clock that does not go back. One owner, one
// thread.
#pragma once

namespace switchyard::policy {

struct RetryLimits {
  double share = 0.2;      // of the requests
  double per_second = 10;  // beside them
  double burst_s = 10;     // how long the latter may be saved up
  friend bool operator==(const RetryLimits&, const RetryLimits&) = default;
};

class RetryBudget {
 public:
  // Full.
  RetryBudget(const RetryLimits& limits, double now_s);

  void SetLimits(const RetryLimits& limits) { limits_ = limits; }
  // A request came.
  void Request(double now_s);
  // May one be sent again? It is then counted.
  bool Retry(double now_s);
  double left(double now_s) const;

 private:
  double Most() const { return limits_.per_second * limits_.burst_s; }

  RetryLimits limits_;
  double left_;
  double since_s_;
};

}  // namespace switchyard::policy
