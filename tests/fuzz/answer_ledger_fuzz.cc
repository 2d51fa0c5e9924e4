// Any lines as the data of events that members send, one after the other taking over on any level:
// what is told to the next one and to the client keeps its form.
#include <array>
#include <cstdlib>
#include <string>

#include "gateway/answer_ledger.h"
#include "protocol/json_items.h"

namespace {

using switchyard::gateway::AnswerLedger;
using switchyard::protocol::Endpoint;

constexpr std::array<std::string_view, 4> kRequests{
    R"({"model":"m","prompt":"a","stream":true,"stream_options":{"include_usage":true}})",
    R"({"model":"m","prompt":["a","b"],"n":2,"stream":true,"return_token_ids":true})",
    R"({"model":"m","prompt":"a"})",
    R"({"model":"m","prompt":"a","n":3})"};

bool IsWhole(std::string_view json) {
  switchyard::protocol::JsonItems items(json);
  while (items.Next()) {
  }
  return items.is_whole();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Endpoint endpoint = (data[0] & 4U) != 0 ? Endpoint::kChat : Endpoint::kText;
  const auto request = switchyard::protocol::ReadOutline(endpoint, kRequests[data[0] & 3U]);
  AnswerLedger ledger(endpoint, *request);
  ledger.Begin({.tells_token_ids = (data[0] & 8U) != 0});
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.empty() && line.size() < 3) {  // the next member begins
      const auto level = static_cast<unsigned>(line[0]);
      ledger.Begin({.tells_token_ids = (level & 1U) != 0,
                    .shown_model = (level & 2U) != 0 ? "\"shown\"" : "",
                    .repeats = ledger.has_begun() && (level & 4U) != 0,
                    .continues = (level & 8U) != 0,
                    .is_from_tokens = (level & 16U) != 0});
      continue;
    }
    (void)ledger.Take(line, out);
    if (!IsWhole(ledger.ResumeJson()) || ledger.completion_tokens() < 0) std::abort();
    if (const auto tokens = ledger.TokensJson(); !tokens.empty() && !IsWhole(tokens)) std::abort();
  }
  if (!ledger.MissingUsage().empty()) out += ledger.MissingUsage();
  if (!request->stream && !IsWhole(ledger.Whole())) std::abort();
  while (!out.empty()) {
    const std::size_t end = out.find("\n\n");
    if (end == std::string::npos || !out.starts_with("data: ")) std::abort();
    if (!IsWhole(std::string_view(out).substr(6, end - 6))) std::abort();
    out.erase(0, end + 2);
  }
  return 0;
}
