// Prometheus's text format. Pure.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::base {

// The lines that begin a metric; `type` is counter, gauge or histogram.
std::string MetricHead(std::string_view name, std::string_view type, std::string_view help);

// A label's value as it stands between quotes.
std::string LabelText(std::string_view value);

}  // namespace switchyard::base
