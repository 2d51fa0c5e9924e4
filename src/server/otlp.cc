#include "server/otlp.h"

#include "base/json.h"

namespace switchyard::server {
namespace {

using base::Json;

constexpr int kStatusError = 2;

// Protocol buffers' JSON writes 64-bit integers as texts.
struct ToValue {
  Json operator()(const std::string& text) const { return {{"stringValue", text}}; }
  Json operator()(std::int64_t number) const { return {{"intValue", std::to_string(number)}}; }
  Json operator()(double number) const { return {{"doubleValue", number}}; }
  Json operator()(bool fact) const { return {{"boolValue", fact}}; }
  Json operator()(const std::vector<std::string>& texts) const {
    Json values = Json::array();
    for (const std::string& text : texts) values.push_back((*this)(text));
    return {{"arrayValue", {{"values", std::move(values)}}}};
  }
};

Json Attributes(const SpanAttributes& attributes) {
  Json list = Json::array();
  for (const auto& [key, value] : attributes) {
    list.push_back({{"key", key}, {"value", std::visit(ToValue(), value)}});
  }
  return list;
}

std::string Nanoseconds(std::chrono::system_clock::time_point time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

Json ToJson(const Span& span) {
  Json json = {{"traceId", Hex(span.context.trace)},
               {"spanId", Hex(span.id)},
               {"name", span.name},
               {"kind", static_cast<int>(span.kind)},
               {"startTimeUnixNano", Nanoseconds(span.begin)},
               {"endTimeUnixNano", Nanoseconds(span.end)},
               {"attributes", Attributes(span.attributes)},
               {"flags", 1}};
  if (span.context.parent != SpanId{}) json["parentSpanId"] = Hex(span.context.parent);
  if (!span.error.empty()) json["status"] = {{"code", kStatusError}, {"message", span.error}};
  return json;
}

}  // namespace

std::string ToOtlpJson(std::span<const Span> spans, const SpanAttributes& resource,
                       const std::string& version) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(ToJson(span));
  const Json scope = {{"scope", {{"name", "switchyard"}, {"version", version}}},
                      {"spans", std::move(list)}};
  const Json body = {
      {"resourceSpans", Json::array({{{"resource", {{"attributes", Attributes(resource)}}},
                                      {"scopeSpans", Json::array({scope})}}})}};
  return base::WriteJson(body);
}

}  // namespace switchyard::server
