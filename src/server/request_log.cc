#include "server/request_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

namespace switchyard::server {
namespace {

// What a client chose is kept to one word, so that it can't write lines of its own.
std::string Word(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, 128)) {
    const auto byte = static_cast<unsigned char>(c);
    word += byte > 0x20 && byte < 0x7F && c != '"' && c != '=' ? c : '_';
  }
  return word.empty() ? "-" : word;
}

}  // namespace

std::string ToText(const RequestLine& line) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto ms = now.time_since_epoch().count() % 1000;
  std::string text = fmt::format(
      "time={:%Y-%m-%dT%H:%M:%S}.{:03}Z id={} client={} method={} path={} status={} total_s={:.4f}",
      fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms, Word(line.id), Word(line.client),
      Word(line.method), Word(line.path), line.status, line.total_s);
  if (line.choices > 0) {
    text += fmt::format(
        " stream={} choices={} prompt_tokens={} cached_tokens={} completion_tokens={} "
        "first_token_s={:.4f} finish={}",
        line.stream ? 1 : 0, line.choices, line.prompt_tokens, line.cached_tokens,
        line.completion_tokens, line.first_token_s, Word(line.finish));
  }
  if (!line.error.empty()) text += fmt::format(" error={}", Word(line.error));
  return text;
}

}  // namespace switchyard::server
