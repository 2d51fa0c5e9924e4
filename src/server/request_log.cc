#include "server/request_log.h"

#include <string_view>

namespace switchyard::server {
namespace {

// What a client chose is kept to one word, so that it can't pretend to be something else.
std::string Word(std::string_view text) {
  std::string word;
  for (const char c : text.substr(0, 128)) {
    const auto byte = static_cast<unsigned char>(c);
    word += byte > 0x20 && byte < 0x7F && c != '"' && c != '=' && c != '\\' ? c : '_';
  }
  return word.empty() ? "-" : word;
}

}  // namespace

base::LogRecord ToRecord(const RequestLine& line) {
  base::LogRecord record{line.status >= 500 ? base::LogLevel::kWarn : base::LogLevel::kInfo,
                         "request",
                         {{"id", Word(line.id)},
                          {"client", Word(line.client)},
                          {"method", Word(line.method)},
                          {"path", Word(line.path)},
                          {"status", std::int64_t{line.status}},
                          {"total_s", line.total_s}}};
  auto& fields = record.fields;
  if (!line.key.empty()) fields.push_back({"key", Word(line.key)});
  if (line.choices > 0) {
    fields.insert(fields.end(), {{"stream", line.stream},
                                 {"choices", line.choices},
                                 {"prompt_tokens", line.prompt_tokens},
                                 {"cached_tokens", line.cached_tokens},
                                 {"completion_tokens", line.completion_tokens},
                                 {"first_token_s", line.first_token_s},
                                 {"finish", Word(line.finish)}});
  }
  if (!line.error.empty()) fields.push_back({"error", Word(line.error)});
  return record;
}

}  // namespace switchyard::server
