#include "gateway/route_wishes.h"

namespace switchyard::gateway {
namespace {

// Names between commas. All headers of the name count: none may hide behind another.
std::vector<std::string> Names(const net::HttpRequest& request, std::string_view header) {
  std::vector<std::string> names;
  for (const auto& [name, value] : request.headers) {
    if (!net::EqualIgnoringCase(name, header)) continue;
    std::string_view left = value;
    while (!left.empty()) {
      const std::size_t comma = std::min(left.find(','), left.size());
      std::string_view one = left.substr(0, comma);
      left.remove_prefix(std::min(comma + 1, left.size()));
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (!one.empty()) names.emplace_back(one);
    }
  }
  return names;
}

}  // namespace

RouteWishes ReadWishes(const net::HttpRequest& request) {
  return {Names(request, "x-switchyard-residency"), Names(request, "x-switchyard-region")};
}

}  // namespace switchyard::gateway
