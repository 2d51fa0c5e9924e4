// A histogram as Prometheus reads it. Any thread may observe; no locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::base {

class Histogram {
 public:
  // `bounds`: upper bounds, rising; the last bucket, +Inf, is added.
  explicit Histogram(std::span<const double> bounds);

  void Observe(double value);
  // Its lines in Prometheus's text format; `labels` as in {model_name="m"}, without braces.
  std::string Render(std::string_view name, std::string_view help, std::string_view labels) const;

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;  // [bounds + 1], not cumulative
  std::atomic<double> sum_ = 0;
};

}  // namespace switchyard::base
