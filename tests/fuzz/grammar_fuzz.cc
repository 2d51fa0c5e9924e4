// Any bytes as a grammar, a regular expression or a JSON schema, and as a text that follows it: each
// is refused, or followed within bounds, and the mask says of a token what trying it says. The first
// byte chooses the language; the text stands behind a byte 0.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"
#include "grammar/regex.h"

namespace {

namespace grammar = switchyard::grammar;

void Require(bool condition) {
  if (!condition) std::abort();
}

std::shared_ptr<const grammar::Vocabulary> MakeVocabulary() {
  grammar::VocabularyBytes bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.tokens.emplace_back(1, static_cast<char>(byte));
  for (const char* token : {"\",", "\":", "{\"", "}}", "]", "true", "aa", "00", "\n  ", "\xC3\xA9"}) {
    bytes.tokens.emplace_back(token);
  }
  return std::make_shared<const grammar::Vocabulary>(std::move(bytes));
}

switchyard::base::Result<grammar::Grammar> Read(char kind, std::string_view text) {
  if (kind == 'e') return grammar::FromEbnf(text);
  if (kind == 'r') return grammar::FromRegex(text);
  const auto json = switchyard::base::ParseJson(text, "fuzz");
  if (!json) return std::unexpected(json.error());
  return grammar::FromJsonSchema(*json, {.blank = {}, .strict = kind == 's'});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto vocabulary = MakeVocabulary();
  if (size == 0) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const char kind = text.front();
  text.remove_prefix(1);
  const std::size_t end = std::min(text.find('\0'), text.size());
  const auto read = Read(kind, text.substr(0, end));
  if (!read) return 0;
  grammar::CompileOptions options;
  options.limits = {.states = 20'000, .steps = 2'000'000};
  options.cache_bytes = 1 << 20U;
  const auto compiled = grammar::CompiledGrammar::Compile(*read, vocabulary, options);
  if (!compiled) return 0;
  grammar::Matcher matcher(*compiled);
  for (const char byte : text.substr(std::min(end + 1, text.size())).substr(0, 200)) {
    const auto token = static_cast<grammar::TokenId>(static_cast<unsigned char>(byte));
    const auto mask = matcher.NextTokens();
    if (!mask) return 0;
    const bool fits = matcher.Accept(token);
    Require(fits == (*mask)->Allows(token));
    if (!fits) break;
  }
  return 0;
}
