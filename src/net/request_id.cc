#include "net/request_id.h"

#include <algorithm>

#include "base/random_bits.h"

namespace switchyard::net {

std::string RequestIdOf(const HttpRequest& request) {
  const std::string_view given = request.Header("x-request-id");
  const bool usable = !given.empty() && given.size() <= 128 &&
                      std::ranges::all_of(given, [](char c) { return c > 0x20 && c < 0x7F; });
  return usable ? std::string(given)
                : fmt::format("req_{:016x}{:016x}", base::RandomBits(), base::RandomBits());
}

}  // namespace switchyard::net
