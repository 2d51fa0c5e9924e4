#include "model/internal/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/numbers.h"
#include "model/internal/jinja/text.h"
#include "model/internal/unicode/category.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model::jinja {
namespace {

constexpr std::string_view kOperators[] = {"**", "//", "==", "!=", ">=", "<=", "+", "-", "/",
                                           "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                           ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};

bool IsNameByte(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Line ends become \n; one at the very end is dropped, as jinja2 does by default.
std::string NormalizeLineEnds(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out.push_back('\n');
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out.push_back(source[i]);
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  Lexer(std::string_view source, int* line)
      : text_(NormalizeLineEnds(source)), source_(text_), line_(*line) {}

  std::vector<Token> Run() {
    while (position_ < source_.size()) ReadTextAndTag();
    Add(TokenKind::kEnd);
    return std::move(tokens_);
  }

 private:
  std::string_view Rest() const { return source_.substr(position_); }
  bool At(std::string_view expected) const { return Rest().starts_with(expected); }

  Token& Add(TokenKind kind, std::string_view text = {}) {
    Token& token = tokens_.emplace_back();
    token.kind = kind;
    token.line = line_;
    token.text = text;
    return token;
  }

  void Advance(std::size_t count) {
    const std::string_view passed = source_.substr(position_, count);
    line_ += static_cast<int>(std::count(passed.begin(), passed.end(), '\n'));
    position_ += count;
  }

  std::size_t SpaceFrom(std::size_t start) const {
    const std::string_view rest = source_.substr(start);
    return rest.size() - StripSpace(rest, true, false).size();
  }

  // Prints the text up to a tag with the whitespace that the tag's sign asks to remove gone.
  void AddText(std::string_view text, char sign, bool strips_line_start) {
    std::string_view kept = text;
    if (sign == '-') {
      kept = StripSpace(text, false, true);
    } else if (sign != '+' && strips_line_start) {
      const std::size_t line_start = text.rfind('\n') + 1;  // 0 where there is none
      if (line_start > 0 || line_starting_) {
        if (StripSpace(text.substr(line_start), true, false).empty()) {
          kept = text.substr(0, line_start);
        }
      }
    }
    if (!kept.empty()) Add(TokenKind::kText, kept);
    Advance(text.size());
  }

  // The length of a tag's end at `start` with the whitespace that it swallows; 0 if none is there.
  std::size_t TagEnd(std::size_t start, std::string_view end, bool swallows_line_end,
                     bool knows_plus) const {
    const std::string_view rest = source_.substr(start);
    if (rest.starts_with('-') && rest.substr(1).starts_with(end)) {
      const std::size_t length = 1 + end.size();
      return length + SpaceFrom(start + length);
    }
    if (knows_plus && rest.starts_with('+') && rest.substr(1).starts_with(end)) {
      return 1 + end.size();
    }
    if (!rest.starts_with(end)) return 0;
    const bool line_end = swallows_line_end && rest.substr(end.size()).starts_with('\n');
    return end.size() + (line_end ? 1 : 0);
  }

  static char SignAt(std::string_view text, std::size_t position) {
    if (position >= text.size()) return 0;
    return text[position] == '-' || text[position] == '+' ? text[position] : '\0';
  }

  void ReadTextAndTag() {
    std::size_t tag = position_;
    while (true) {
      tag = source_.find('{', tag);
      if (tag == std::string_view::npos || tag + 1 >= source_.size()) {
        Add(TokenKind::kText, Rest());
        Advance(Rest().size());
        return;
      }
      const char second = source_[tag + 1];
      if (second == '{' || second == '%' || second == '#') break;
      ++tag;
    }
    const char type = source_[tag + 1];
    const char sign = SignAt(source_, tag + 2);
    const std::string_view text = source_.substr(position_, tag - position_);
    AddText(text, sign, type != '{');
    const std::size_t raw = type == '%' ? RawTagLength(tag, sign) : 0;
    if (raw != 0) {
      ReadRaw(raw);
      return;
    }
    if (type == '#') {
      ReadComment(sign);
      return;
    }
    Add(type == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin);
    Advance(sign == 0 ? 2 : 3);
    ReadTag(type == '%');
  }

  // The length of a {% raw %} tag at `tag`, or 0 if another tag is there.
  std::size_t RawTagLength(std::size_t tag, char sign) const {
    std::size_t i = tag + (sign == 0 ? 2 : 3);
    i += SpaceFrom(i);
    if (!source_.substr(i).starts_with("raw")) return 0;
    i += 3;
    i += SpaceFrom(i);
    const std::size_t end = TagEnd(i, "%}", false, false);
    return end == 0 ? 0 : i + end - tag;
  }

  void ReadRaw(std::size_t tag_length) {
    const int start_line = line_;
    Advance(tag_length);
    line_starting_ = source_[position_ - 1] == '\n';
    for (std::size_t tag = source_.find("{%", position_); tag != std::string_view::npos;
         tag = source_.find("{%", tag + 2)) {
      const char sign = SignAt(source_, tag + 2);
      std::size_t i = tag + (sign == 0 ? 2 : 3);
      i += SpaceFrom(i);
      if (!source_.substr(i).starts_with("endraw")) continue;
      i += 6;
      i += SpaceFrom(i);
      const std::size_t end = TagEnd(i, "%}", true, true);
      if (end == 0) continue;
      AddText(source_.substr(position_, tag - position_), sign, true);
      Advance(i + end - tag);
      line_starting_ = source_[position_ - 1] == '\n';
      return;
    }
    line_ = start_line;
    Raise(FailureKind::kSyntax, "Missing end of raw directive");
  }

  void ReadComment(char sign) {
    const int start_line = line_;
    Advance(sign == 0 ? 2 : 3);
    for (std::size_t i = position_; i < source_.size(); ++i) {
      i = source_.find('#', i);
      if (i == std::string_view::npos) break;
      if (!source_.substr(i).starts_with("#}")) continue;
      // A sign belongs to the end unless it is the start's own.
      const bool signed_end = i > position_ && (source_[i - 1] == '-' || source_[i - 1] == '+');
      const std::size_t start = signed_end ? i - 1 : i;
      Advance(start + TagEnd(start, "#}", true, true) - position_);
      line_starting_ = source_[position_ - 1] == '\n';
      return;
    }
    line_ = start_line;
    Raise(FailureKind::kSyntax, "Missing end of comment tag");
  }

  void ReadTag(bool is_block) {
    std::string expected_brackets;
    while (true) {
      if (expected_brackets.empty()) {
        const std::size_t end =
            is_block ? TagEnd(position_, "%}", true, true) : TagEnd(position_, "}}", false, false);
        if (end != 0) {
          Add(is_block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd);
          Advance(end);
          line_starting_ = source_[position_ - 1] == '\n';
          return;
        }
      }
      if (position_ >= source_.size()) return;  // the parser reports the missing end
      const std::size_t space = SpaceFrom(position_);
      if (space != 0) {
        Advance(space);
        continue;
      }
      const char c = source_[position_];
      if (IsDigit(c)) {
        ReadNumber();
      } else if (IsNameByte(c)) {
        ReadName();
      } else if (c == '"' || c == '\'') {
        ReadString(c);
      } else {
        ReadOperator(&expected_brackets);
      }
    }
  }

  // Digits with single underscores between them, from `start`.
  std::size_t DigitsEnd(std::size_t start) const {
    std::size_t i = start;
    while (i < source_.size() &&
           (IsDigit(source_[i]) || (source_[i] == '_' && i > start && source_[i - 1] != '_' &&
                                    i + 1 < source_.size() && IsDigit(source_[i + 1])))) {
      ++i;
    }
    return i;
  }

  void ReadNumber() {
    const std::size_t start = position_;
    const bool after_dot = start > 0 && source_[start - 1] == '.';
    const std::size_t whole_end = DigitsEnd(start);
    std::size_t end = whole_end;
    bool is_float = false;
    if (!after_dot) {
      if (end + 1 < source_.size() && source_[end] == '.' && IsDigit(source_[end + 1])) {
        end = DigitsEnd(end + 1);
        is_float = true;
      }
      if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
        std::size_t digits = end + 1;
        if (digits < source_.size() && (source_[digits] == '+' || source_[digits] == '-')) ++digits;
        if (digits < source_.size() && IsDigit(source_[digits])) {
          end = DigitsEnd(digits);
          is_float = true;
        }
      }
    }
    if (is_float) {
      const std::string_view text = source_.substr(start, end - start);
      const auto value = ParseFloat(text);
      if (!value) Raise(FailureKind::kSyntax, "'{}' is not a number", text);
      Add(TokenKind::kFloat).real = *value;
      Advance(text.size());
      return;
    }
    end = IntegerEnd(start, whole_end);
    const std::string_view text = source_.substr(start, end - start);
    const auto value = ParseInt(text, 0);
    if (!value) Raise(FailureKind::kSyntax, "'{}' is not an integer", text);
    Add(TokenKind::kInteger).integer = *value;
    Advance(text.size());
  }

  std::size_t IntegerEnd(std::size_t start, std::size_t decimal_end) const {
    if (source_[start] != '0') return decimal_end;
    if (start + 1 < source_.size()) {
      const char mark = static_cast<char>(source_[start + 1] | 0x20);
      const std::string_view digits = mark == 'x'   ? "0123456789abcdefABCDEF"
                                      : mark == 'o' ? "01234567"
                                      : mark == 'b' ? "01"
                                                    : "";
      std::size_t i = start + 2;
      const auto digit_at = [&](std::size_t k) {
        return k < source_.size() && digits.find(source_[k]) != std::string_view::npos;
      };
      while (digit_at(i) || (i < source_.size() && source_[i] == '_' && digit_at(i + 1))) ++i;
      if (!digits.empty() && i > start + 2) return i;
    }
    std::size_t i = start + 1;  // only zeros may follow a zero
    while (i < source_.size() &&
           (source_[i] == '0' ||
            (source_[i] == '_' && i + 1 < source_.size() && source_[i + 1] == '0'))) {
      ++i;
    }
    return i;
  }

  void ReadName() {
    std::size_t end = position_;
    while (end < source_.size() && IsNameByte(source_[end])) {
      if (static_cast<unsigned char>(source_[end]) < 0x80) {
        ++end;
        continue;
      }
      const std::size_t start = end;
      const char32_t c = unicode::DecodeNext(source_, &end);
      if (unicode::HasClass(
              c, start == position_ ? unicode::kIdentifierStart : unicode::kIdentifierPart))
        continue;
      if (start == position_) {
        Raise(FailureKind::kSyntax, "unexpected char '{}' at {}",
              source_.substr(start, end - start), start);
      }
      end = start;
      break;
    }
    Add(TokenKind::kName, source_.substr(position_, end - position_));
    Advance(end - position_);
  }

  void ReadString(char quote) {
    std::size_t end = position_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) {
      Raise(FailureKind::kSyntax, "unexpected char '{}' at {}: a string without an end", quote,
            position_);
    }
    const std::string_view body = source_.substr(position_ + 1, end - position_ - 1);
    Add(TokenKind::kString).text = Unescape(body);
    Advance(body.size() + 2);
  }

  // Python's unicode-escape; an unknown escape stays as it is.
  static std::string Unescape(std::string_view body) {
    std::string out;
    out.reserve(body.size());
    for (std::size_t i = 0; i < body.size(); ++i) {
      if (body[i] != '\\' || i + 1 >= body.size()) {
        out.push_back(body[i]);
        continue;
      }
      const char c = body[++i];
      constexpr std::string_view kLetters = "\\'\"abfnrtv";
      constexpr std::string_view kMeanings = "\\'\"\a\b\f\n\r\t\v";
      const std::size_t simple = kLetters.find(c);
      if (simple != std::string_view::npos) {
        out.push_back(kMeanings[simple]);
      } else if (c == '\n') {
        continue;  // a backslash joins lines
      } else if (c >= '0' && c <= '7') {
        char32_t value = 0;
        std::size_t end = i;
        for (; end < body.size() && end < i + 3 && body[end] >= '0' && body[end] <= '7'; ++end) {
          value = value * 8 + static_cast<char32_t>(body[end] - '0');
        }
        unicode::AppendUtf8(value, &out);
        i = end - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        i += AppendHexEscape(body.substr(i + 1), c == 'x' ? 2 : c == 'u' ? 4 : 8, &out);
      } else if (c == 'N') {
        Raise(FailureKind::kSyntax, "the string escape \\N is not supported; write the character");
      } else {
        out.push_back('\\');
        out.push_back(c);
      }
    }
    return out;
  }

  static std::size_t AppendHexEscape(std::string_view rest, std::size_t length, std::string* out) {
    const std::string_view digits = rest.substr(0, length);
    const auto value = digits.find('_') == std::string_view::npos && digits.size() == length
                           ? ParseInt(digits, 16)
                           : std::nullopt;
    const bool plain = digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
    if (!value || !plain) Raise(FailureKind::kSyntax, "a string escape is cut short");
    if (*value > 0x10FFFF) Raise(FailureKind::kSyntax, "illegal Unicode character in a string");
    if (*value >= 0xD800 && *value <= 0xDFFF) {
      Raise(FailureKind::kSyntax,
            "the string escape \\u{} is half a surrogate pair; write \\U with 8 digits", digits);
    }
    unicode::AppendUtf8(static_cast<char32_t>(*value), out);
    return length;
  }

  void ReadOperator(std::string* expected_brackets) {
    const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                    [this](std::string_view op) { return At(op); });
    if (found == std::end(kOperators)) {
      Raise(FailureKind::kSyntax, "unexpected char '{}' at {}", source_[position_], position_);
    }
    const char c = found->front();
    if (c == '(' || c == '[' || c == '{') {
      expected_brackets->push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
      if (expected_brackets->empty()) Raise(FailureKind::kSyntax, "unexpected '{}'", c);
      if (expected_brackets->back() != c) {
        Raise(FailureKind::kSyntax, "unexpected '{}', expected '{}'", c, expected_brackets->back());
      }
      expected_brackets->pop_back();
    }
    Add(TokenKind::kOperator, *found);
    Advance(found->size());
  }

  std::string text_;
  std::string_view source_;
  int& line_;
  std::size_t position_ = 0;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source, int* line) {
  *line = 1;
  return Lexer(source, line).Run();
}

}  // namespace switchyard::model::jinja
