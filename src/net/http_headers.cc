#include "net/http_headers.h"

#include <algorithm>

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
  // All of it is looked at, so that the compiler can take many at once.
  bool is_text = true;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    is_text &= byte >= 0x20 && byte != 0x7F;
  }
  return is_text;
}

}  // namespace switchyard::net
