// W3C's trace context: which trace a request belongs to, as its `traceparent` header says
// (https://www.w3.org/TR/trace-context/). Values; pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace switchyard::server {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::array<std::uint8_t, 8>;

struct TraceContext {
  TraceId trace{};
  SpanId parent{};  // zero: this is the trace's first span
  bool is_sampled = false;
};

// None if the header is absent or not what the specification allows.
std::optional<TraceContext> ParseTraceparent(std::string_view header);

std::string Hex(const TraceId& id);
std::string Hex(const SpanId& id);

// Never zero.
TraceId NewTraceId();
SpanId NewSpanId();

}  // namespace switchyard::server
