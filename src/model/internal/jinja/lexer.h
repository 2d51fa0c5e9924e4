// Cuts a template's text into tokens, as jinja2 does with trim_blocks and lstrip_blocks on and no
// line statements: text between tags is one token, whitespace control is already applied.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::model::jinja {

enum class TokenKind : std::uint8_t {
  kText,           // outside of tags; `text` is what to print
  kVariableBegin,  // {{
  kVariableEnd,
  kBlockBegin,  // {%
  kBlockEnd,
  kName,
  kString,  // `text` is unescaped
  kInteger,
  kFloat,
  kOperator,  // `text` is the operator or bracket
  kEnd,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  int line = 1;
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
};

// `source` must be UTF-8. The last token is kEnd. Fails with kSyntax and sets *line to where.
std::vector<Token> Tokenize(std::string_view source, int* line);

}  // namespace switchyard::model::jinja
