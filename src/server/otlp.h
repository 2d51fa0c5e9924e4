// Spans of a trace, and their form in OTLP/HTTP's JSON
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp). Values; pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/trace_context.h"

namespace switchyard::server {

using SpanValue =
    std::variant<std::string, std::int64_t, double, bool, std::vector<std::string>>;
using SpanAttributes = std::vector<std::pair<std::string, SpanValue>>;

// The numbers are OTLP's.
enum class SpanKind : std::uint8_t { kInternal = 1, kServer = 2 };

struct Span {
  TraceContext context;
  SpanId id{};
  std::string name;
  SpanKind kind = SpanKind::kServer;
  std::chrono::system_clock::time_point begin;
  std::chrono::system_clock::time_point end;
  SpanAttributes attributes;
  std::string error;  // empty: none
};

// The body of a POST to …/v1/traces.
std::string ToOtlpJson(std::span<const Span> spans, const SpanAttributes& resource,
                       const std::string& version);

}  // namespace switchyard::server
