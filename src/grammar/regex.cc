#include "grammar/regex.h"

#include <optional>
#include <utility>
#include <vector>

#include "grammar/internal/text_cursor.h"

namespace switchyard::grammar {
namespace {

using base::Result;
using internal::kEndOfText;
using internal::kMostGroups;
using internal::Shown;
using internal::TextCursor;

const CharSet& Digits() {
  static const CharSet set = {{'0', '9'}};
  return set;
}

const CharSet& WordCharacters() {
  static const CharSet set = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
  return set;
}

const CharSet& Blanks() {
  static const CharSet set = {{'\t', '\r'}, {' ', ' '}};
  return set;
}

// The class of \d, \w and so on; none for other letters.
std::optional<CharSet> ClassNamed(char32_t letter) {
  switch (letter) {
    case 'd':
      return Digits();
    case 'D':
      return Digits().Complement();
    case 'w':
      return WordCharacters();
    case 'W':
      return WordCharacters().Complement();
    case 's':
      return Blanks();
    case 'S':
      return Blanks().Complement();
    default:
      return std::nullopt;
  }
}

class RegexReader {
 public:
  RegexReader(Grammar& grammar, std::string_view pattern, const RegexOptions& options)
      : grammar_(grammar), cursor_(pattern, options.subject), options_(options) {}

  Result<ExprId> Read() {
    SWITCHYARD_TRY(const ExprId whole, ReadChoices());
    if (cursor_.Peek() == ')') return cursor_.Fail("a ')' without its '('");
    return whole;
  }

 private:
  ExprId Spell(const CharSet& set) {
    return options_.spelling ? options_.spelling(grammar_, set) : grammar_.Characters(set);
  }

  // Of the whole expression if groups_ is 0, which alone ^ and $ may begin and end.
  Result<ExprId> ReadChoices() {
    std::vector<ExprId> choices;
    do {
      SWITCHYARD_TRY(const ExprId choice, ReadSequence());
      choices.push_back(choice);
    } while (cursor_.Take("|"));
    return grammar_.Choice(choices);
  }

  Result<ExprId> ReadSequence() {
    std::vector<ExprId> parts;
    const bool from_begin = groups_ == 0 && cursor_.Take("^");
    bool to_end = false;
    while (true) {
      const char32_t c = cursor_.Peek();
      if (c == kEndOfText || c == '|' || c == ')') break;
      if (groups_ == 0 && (cursor_.rest() == "$" || cursor_.rest().starts_with("$|"))) {
        cursor_.Next();
        to_end = true;
        break;
      }
      SWITCHYARD_TRY(const ExprId atom, ReadAtom());
      SWITCHYARD_TRY(const ExprId repeated, ReadRepetition(atom));
      parts.push_back(repeated);
    }
    if (groups_ == 0 && options_.anywhere) {
      if (!from_begin) parts.insert(parts.begin(), AnyText());
      if (!to_end) parts.push_back(AnyText());
    }
    return grammar_.Sequence(parts);
  }

  ExprId AnyText() { return grammar_.Repeat(Spell(CharSet().Complement()), 0); }

  Result<ExprId> ReadAtom() {
    const std::size_t begin = cursor_.position();
    const char32_t c = cursor_.Next();
    switch (c) {
      case '.':
        return Spell(CharSet({{'\n', '\n'}}).Complement());
      case '(':
        return ReadGroup(begin);
      case '[':
        return ReadClass(begin);
      case '\\': {
        SWITCHYARD_TRY(const CharSet set, ReadEscape());
        return Spell(set);
      }
      case '*':
      case '+':
      case '?':
        return cursor_.Fail(begin, fmt::format("{} has nothing to repeat", Shown(c)));
      case '^':
      case '$':
        return cursor_.Fail(
            begin,
            fmt::format("{} is supported at the ends of the whole expression only", Shown(c)));
      default:
        return Spell({{c, c}});
    }
  }

  Result<ExprId> ReadGroup(std::size_t begin) {
    if (cursor_.Take("?")) {
      const bool is_named = cursor_.Take("P<") ||
                            (cursor_.rest().starts_with("<") && !cursor_.rest().starts_with("<=") &&
                             !cursor_.rest().starts_with("<!"));
      if (is_named) {
        while (!cursor_.at_end() && cursor_.Peek() != '>') cursor_.Next();
        if (!cursor_.Take(">")) return cursor_.Fail(begin, "the group's name has no end");
      } else if (!cursor_.Take(":")) {
        return cursor_.Fail(
            begin,
            "of groups that begin with (?, only (?:…) and named ones are supported: "
            "no looking around, no flags");
      }
    }
    if (++groups_ > kMostGroups) {
      return cursor_.Fail(begin,
                          fmt::format("more than {} groups one within another", kMostGroups));
    }
    SWITCHYARD_TRY(const ExprId body, ReadChoices());
    if (!cursor_.Take(")")) return cursor_.Fail(begin, "a '(' without its ')'");
    --groups_;
    return body;
  }

  // Behind the backslash.
  Result<CharSet> ReadEscape() {
    const std::size_t begin = cursor_.position();
    if (const auto set = ClassNamed(cursor_.Peek())) {
      cursor_.Next();
      return *set;
    }
    if (cursor_.Take("u{")) {
      for (std::size_t digits = 6; digits > 0; --digits) {
        const std::size_t at = cursor_.position();
        const auto value = cursor_.Hex(digits);
        if (value && *value <= 0x10FFFF && cursor_.Take("}")) return CharSet({{*value, *value}});
        cursor_.set_position(at);
      }
      return cursor_.Fail(begin, "\\u{…} needs one to six hexadecimal digits of a character");
    }
    SWITCHYARD_TRY(const std::optional<char32_t> c, internal::ReadEscape(cursor_));
    if (c) return CharSet({{*c, *c}});
    const char32_t letter = cursor_.Peek();
    if (letter == '0') {
      cursor_.Next();
      return CharSet({{0, 0}});
    }
    const std::string_view what = letter == kEndOfText             ? "nothing to escape"
                                  : letter >= '1' && letter <= '9' ? "a back reference"
                                  : letter == 'b' || letter == 'B' ? "a word boundary"
                                  : letter == 'p' || letter == 'P' ? "a Unicode property"
                                  : letter == 'A' || letter == 'Z' || letter == 'z'
                                      ? "an anchor"
                                      : "no known escape";
    return cursor_.Fail(
        begin, fmt::format("\\ with {} is {}, which is not supported", Shown(letter), what));
  }

  // One end of a range, or a class such as \d.
  Result<CharSet> ReadClassMember() {
    if (!cursor_.Take("\\")) {
      const char32_t c = cursor_.Next();
      return CharSet({{c, c}});
    }
    if (cursor_.Take("b")) return CharSet({{'\b', '\b'}});  // within a class, a backspace
    return ReadEscape();
  }

  Result<ExprId> ReadClass(std::size_t begin) {
    const bool is_negated = cursor_.Take("^");
    const auto unclosed = [&] { return cursor_.Fail(begin, "a '[' without its ']'"); };
    std::vector<CharRange> ranges;
    bool is_first = true;
    while (is_first || cursor_.Peek() != ']') {
      if (cursor_.at_end()) return unclosed();
      is_first = false;
      const std::size_t at = cursor_.position();
      SWITCHYARD_TRY(const CharSet first, ReadClassMember());
      if (!cursor_.rest().starts_with("-") || cursor_.rest().starts_with("-]")) {
        ranges.insert(ranges.end(), first.ranges().begin(), first.ranges().end());
        continue;
      }
      cursor_.Next();
      if (cursor_.at_end()) return unclosed();
      SWITCHYARD_TRY(const CharSet last, ReadClassMember());
      if (!IsOne(first) || !IsOne(last)) {
        return cursor_.Fail(at, "a range has one character at each end");
      }
      const char32_t low = first.ranges().front().first;
      const char32_t high = last.ranges().front().first;
      if (high < low) return cursor_.Fail(at, "a range that ends before it begins");
      ranges.push_back({low, high});
    }
    cursor_.Next();
    const CharSet set(std::move(ranges));
    return Spell(is_negated ? set.Complement() : set);
  }

  static bool IsOne(const CharSet& set) {
    return set.ranges().size() == 1 && set.ranges().front().first == set.ranges().front().last;
  }

  Result<ExprId> ReadRepetition(ExprId atom) {
    const std::size_t begin = cursor_.position();
    std::uint32_t min = 0;
    std::uint32_t max = kUnbounded;
    if (cursor_.Take("+")) {
      min = 1;
    } else if (cursor_.Take("?")) {
      max = 1;
    } else if (!cursor_.Take("*")) {
      if (!TakeCounts(min, max)) return atom;
      if (min > max) return cursor_.Fail(begin, "a repetition with a minimum above its maximum");
    }
    cursor_.Take("?");  // lazy: the same texts match
    const std::size_t end = cursor_.position();
    const char32_t next = cursor_.Peek();
    std::uint32_t ignored = 0;
    if (next == '*' || next == '+' || next == '?' || TakeCounts(ignored, ignored)) {
      return cursor_.Fail(end, fmt::format("{} behind a repetition", Shown(next)));
    }
    return grammar_.Repeat(atom, min, max);
  }

  // {n}, {n,} or {n,m}; a brace that begins none of them is a character like others.
  bool TakeCounts(std::uint32_t& min, std::uint32_t& max) {
    const std::size_t begin = cursor_.position();
    if (cursor_.Take("{")) {
      const auto least = cursor_.Number();
      std::optional<std::uint32_t> most = least;
      if (cursor_.Take(",")) most = cursor_.Peek() == '}' ? kUnbounded : cursor_.Number();
      if (least && most && cursor_.Take("}")) {
        min = *least;
        max = *most;
        return true;
      }
    }
    cursor_.set_position(begin);
    return false;
  }

  Grammar& grammar_;
  TextCursor cursor_;
  const RegexOptions& options_;
  int groups_ = 0;
};

}  // namespace

Result<Grammar> FromRegex(std::string_view pattern) {
  Grammar grammar;
  SWITCHYARD_TRY(const ExprId root, AddRegex(grammar, pattern, {}));
  grammar.SetRoot(root);
  return grammar;
}

Result<ExprId> AddRegex(Grammar& grammar, std::string_view pattern, const RegexOptions& options) {
  return RegexReader(grammar, pattern, options).Read();
}

}  // namespace switchyard::grammar
