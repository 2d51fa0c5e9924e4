// Text from a file nobody vouches for, made fit to stand in an error message: no control
// characters, no bytes beyond ASCII, no kilometre-long names. Pure; safe from any thread.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace switchyard::model::internal {

inline std::string Printable(std::string_view text) {
  constexpr std::size_t kLongest = 96;
  std::string out;
  for (const char c : text.substr(0, kLongest)) {
    if (c >= 0x20 && c < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  if (text.size() > kLongest) out += "...";
  return out;
}

}  // namespace switchyard::model::internal
