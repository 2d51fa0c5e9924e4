// One request as spans: the request itself, and below it its time in the queue, in prefill and in
// decode. Attributes are OpenTelemetry's for generative AI
// (https://opentelemetry.io/docs/specs/semconv/gen-ai/); never a prompt or an answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/completion_service.h"
#include "server/otlp.h"
#include "server/request_log.h"

namespace switchyard::server {

struct TracedRequest {
  TraceContext context;   // of the client, or a new trace
  std::string operation;  // "chat", "text_completion"
  std::string model;
  std::string answer_id;
  engine::SamplingParameters sampling;
  std::int64_t max_tokens = -1;
  std::chrono::steady_clock::time_point arrival;
};

std::vector<Span> SpansOf(const TracedRequest& request, const RequestLine& line,
                          const engine::CompletionSummary& first_choice);

// The context of a request with this header; a request without one begins a sampled trace.
TraceContext ContextOf(std::string_view traceparent);

}  // namespace switchyard::server
