#include "base/histogram.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/metric_text.h"

namespace switchyard::base {

Histogram::Histogram(std::span<const double> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {}

void Histogram::Observe(double value) {
  const auto bucket = std::ranges::lower_bound(bounds_, value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

std::string Histogram::Render(std::string_view name, std::string_view help,
                              std::string_view labels) const {
  std::string text = MetricHead(name, "histogram", help);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    total += counts_[i].load(std::memory_order_relaxed);
    const std::string bound = i < bounds_.size() ? fmt::format("{:g}", bounds_[i]) : "+Inf";
    text += fmt::format("{}_bucket{{{}{}le=\"{}\"}} {}\n", name, labels, labels.empty() ? "" : ",",
                        bound, total);
  }
  text += fmt::format("{}_sum{{{}}} {:.6f}\n", name, labels, sum_.load(std::memory_order_relaxed));
  text += fmt::format("{}_count{{{}}} {}\n", name, labels, total);
  return text;
}

}  // namespace switchyard::base
