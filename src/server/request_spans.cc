#include "server/request_spans.h"

#include <utility>

namespace switchyard::server {
namespace {

using SystemClock = std::chrono::system_clock;

SystemClock::duration Duration(double seconds) {
  return std::chrono::duration_cast<SystemClock::duration>(std::chrono::duration<double>(seconds));
}

Span Child(const Span& parent, std::string name, SystemClock::time_point begin, double seconds) {
  Span span;
  span.context = parent.context;
  span.context.parent = parent.id;
  span.id = NewSpanId();
  span.name = std::move(name);
  span.kind = SpanKind::kInternal;
  span.begin = begin;
  span.end = begin + Duration(seconds);
  return span;
}

}  // namespace

std::vector<Span> SpansOf(const TracedRequest& request, const RequestLine& line,
                          const engine::CompletionSummary& first_choice) {
  Span whole;
  whole.context = request.context;
  whole.id = NewSpanId();
  whole.name = request.operation + " " + request.model;
  whole.end = SystemClock::now();
  whole.begin = whole.end - Duration(std::chrono::duration<double>(
                                std::chrono::steady_clock::now() - request.arrival).count());
  whole.attributes = {{"gen_ai.operation.name", request.operation},
                      {"gen_ai.provider.name", std::string("switchyard")},
                      {"gen_ai.request.model", request.model},
                      {"gen_ai.response.model", request.model},
                      {"gen_ai.response.id", request.answer_id},
                      {"gen_ai.request.choice.count", line.choices},
                      {"gen_ai.request.temperature", double{request.sampling.temperature}},
                      {"gen_ai.request.top_p", double{request.sampling.top_p}},
                      {"gen_ai.request.top_k", std::int64_t{request.sampling.top_k}},
                      {"gen_ai.usage.input_tokens", line.prompt_tokens},
                      {"gen_ai.usage.output_tokens", line.completion_tokens},
                      {"gen_ai.usage.cache_read.input_tokens", line.cached_tokens},
                      {"http.request.method", line.method},
                      {"url.path", line.path},
                      {"http.response.status_code", std::int64_t{line.status}},
                      {"switchyard.request_id", line.id}};
  auto& attributes = whole.attributes;
  if (request.max_tokens >= 0) {
    attributes.emplace_back("gen_ai.request.max_tokens", request.max_tokens);
  }
  if (!line.finish.empty()) {
    attributes.emplace_back("gen_ai.response.finish_reasons", std::vector{line.finish});
  }
  if (line.first_token_s > 0) {
    attributes.emplace_back("gen_ai.server.time_to_first_token", line.first_token_s);
  }
  if (!line.key.empty()) attributes.emplace_back("switchyard.key", line.key);
  if (!line.error.empty()) {
    attributes.emplace_back("error.type", line.error);
    if (line.status >= 500) whole.error = line.error;
  }

  std::vector<Span> spans = {whole};
  SystemClock::time_point begin = whole.begin;
  for (const auto& [name, seconds] : {std::pair("queue", first_choice.queued_s),
                                      std::pair("prefill", first_choice.prefill_s),
                                      std::pair("decode", first_choice.decode_s)}) {
    if (seconds <= 0) continue;
    spans.push_back(Child(whole, name, begin, seconds));
    begin = spans.back().end;
  }
  return spans;
}

TraceContext ContextOf(std::string_view traceparent) {
  if (const auto given = ParseTraceparent(traceparent)) return *given;
  TraceContext context;
  context.trace = NewTraceId();
  context.is_sampled = true;
  return context;
}

}  // namespace switchyard::server
