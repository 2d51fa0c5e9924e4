#include "server/trace_context.h"
#include "base/random_bits.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <tuple>


namespace switchyard::server {
namespace {

// Lower case only, as the specification asks.
bool ReadHex(std::string_view text, std::span<std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (text.size() != 2 * bytes.size()) return false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::size_t high = kDigits.find(text[2 * i]);
    const std::size_t low = kDigits.find(text[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    bytes[i] = static_cast<std::uint8_t>(high << 4U | low);
  }
  return true;
}

bool IsZero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

std::string HexOf(std::span<const std::uint8_t> bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, ""));
}

template <typename Id>
Id NewId() {
  static_assert(std::tuple_size_v<Id> % sizeof(std::uint64_t) == 0);
  Id id{};
  while (IsZero(id)) {
    for (auto at = id.begin(); at != id.end();) {
      for (std::uint64_t bits = base::RandomBits(), byte = 0; byte < sizeof bits; ++byte, bits >>= 8U) {
        *at++ = static_cast<std::uint8_t>(bits & 0xFFU);
      }
    }
  }
  return id;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view header) {
  // 00-TRACE-PARENT-FLAGS; a later version may have more behind another '-'.
  constexpr std::size_t kSize = 55;
  if (header.size() < kSize || header[2] != '-' || header[35] != '-' || header[52] != '-') {
    return std::nullopt;
  }
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  if (!ReadHex(header.substr(0, 2), version) || !ReadHex(header.substr(3, 32), context.trace) ||
      !ReadHex(header.substr(36, 16), context.parent) || !ReadHex(header.substr(53, 2), flags)) {
    return std::nullopt;
  }
  const bool has_more = header.size() > kSize;
  if (version[0] == 0xFF || (version[0] == 0 && has_more) || (has_more && header[kSize] != '-') ||
      IsZero(context.trace) || IsZero(context.parent)) {
    return std::nullopt;
  }
  context.is_sampled = (flags[0] & 1U) != 0;
  return context;
}

std::string Hex(const TraceId& id) { return HexOf(id); }
std::string Hex(const SpanId& id) { return HexOf(id); }

TraceId NewTraceId() { return NewId<TraceId>(); }
SpanId NewSpanId() { return NewId<SpanId>(); }

}  // namespace switchyard::server
