#include "net/request_id.h"

#include <algorithm>
#include <cstdint>

#include "base/random_bits.h"

namespace switchyard::net {
namespace {

// As "{:016x}" has it.
void WriteHex(std::uint64_t bits, char* text) {
  for (int i = 15; i >= 0; --i, bits >>= 4U) text[i] = "0123456789abcdef"[bits & 0xFU];
}

}  // namespace

std::string RequestIdOf(const HttpRequest& request) {
  const std::string_view given = request.Header("x-request-id");
  const bool usable = !given.empty() && given.size() <= 128 &&
                      std::ranges::all_of(given, [](char c) { return c > 0x20 && c < 0x7F; });
  if (usable) return std::string(given);
  std::string id = "req_................................";
  WriteHex(base::RandomBits(), &id[4]);
  WriteHex(base::RandomBits(), &id[20]);
  return id;
}

}  // namespace switchyard::net
