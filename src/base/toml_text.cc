#include "base/toml_text.h"

#include <string>

namespace switchyard::base {
namespace {

// toml++ 3.3 runs into undefined behaviour on some characters beyond ASCII that stand outside texts
// and comments (its test for exotic white space), where TOML allows none of them anyway. Texts over
// several lines, which nothing here needs, are refused so that this scan can be exact.
Status CheckCharacters(std::string_view text, std::string_view subject) {
  char quote = 0;
  bool in_comment = false;
  int line = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n') {
      ++line;
      quote = 0;
      in_comment = false;
    } else if (in_comment) {
      continue;
    } else if (quote != 0) {
      if (c == '\\' && quote == '"' && i + 1 < text.size() && text[i + 1] != '\n') {
        ++i;
      } else if (c == quote) {
        quote = 0;
      }
    } else if (c == '#') {
      in_comment = true;
    } else if (c == '"' || c == '\'') {
      if (text.substr(i, 3) == std::string(3, c)) {
        return Fail(ErrorCode::kInvalidArgument,
                          "{}:{}: a text over several lines is not read here", subject, line);
      }
      quote = c;
    } else if (static_cast<unsigned char>(c) >= 0x80) {
      return Fail(ErrorCode::kInvalidArgument,
                        "{}:{}: put characters beyond ASCII in quotes", subject, line);
    }
  }
  return {};
}

}  // namespace

Result<toml::table> ParseToml(std::string_view text, std::string_view subject) {
  SWITCHYARD_RETURN_IF_ERROR(CheckCharacters(text, subject));
  // toml++ without exceptions runs into its own assertions after some errors.
  try {
    return toml::parse(text, subject);
  } catch (const toml::parse_error& error) {
    return Fail(ErrorCode::kInvalidArgument, "{}:{}: {}", subject,
                      error.source().begin.line, error.description());
  }
}

}  // namespace switchyard::base
