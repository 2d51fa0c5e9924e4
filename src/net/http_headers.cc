#include "net/http_headers.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace switchyard::net {

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : int{c}; };
  return a.size() == b.size() &&
         std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view FindHeader(const HttpHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (EqualIgnoringCase(key, name)) return value;
  }
  return {};
}

bool IsHeaderText(std::string_view text) {
  // Eight bytes at once: the high bit of each tells of its low seven, without a carry between bytes.
  // Bytes above 0x7F are text.
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::uint64_t controls = 0;
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data(), sizeof bytes);
    const std::uint64_t low = bytes & 0x7F * kOnes;
    const std::uint64_t is_small = ~(low + 0x60 * kOnes);  // below 0x20
    const std::uint64_t is_delete = low + kOnes;           // 0x7F
    controls |= (is_small | is_delete) & ~bytes;
    text.remove_prefix(sizeof bytes);
  }
  controls &= 0x80 * kOnes;
  return controls == 0 && std::ranges::all_of(text, [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte >= 0x20 && byte != 0x7F;
         });
}

}  // namespace switchyard::net
