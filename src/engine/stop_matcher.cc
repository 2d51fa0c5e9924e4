#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace switchyard::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops, bool includes_stop)
    : stops_(std::move(stops)), includes_stop_(includes_stop) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopMatcher::Push(std::string_view text) {
  if (stopped_) return "";
  held_ += text;
  std::size_t first = std::string::npos;
  std::size_t length = 0;  // of the one that is found first
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at >= first) continue;
    first = at;
    length = stop.size();
  }
  if (first != std::string::npos) {
    stopped_ = true;
    held_.resize(first + (includes_stop_ ? length : 0));
    return std::exchange(held_, {});
  }
  // The longest tail that begins some stop string stays.
  std::size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (std::size_t part = std::min(stop.size() - 1, held_.size()); part > keep; --part) {
      if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, part))) {
        keep = part;
        break;
      }
    }
  }
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopMatcher::Pass(std::string_view text) { return Finish() + std::string(text); }

std::string StopMatcher::Finish() { return std::exchange(held_, {}); }

}  // namespace switchyard::engine
