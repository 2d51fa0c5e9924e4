#include "grammar/ebnf.h"

#include <map>
#include <optional>
#include <string>
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

constexpr int kMostRepetitions = 16;  // of one item, such as the two of x{2}*

bool BeginsName(char32_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsOfName(char32_t c) {
  return BeginsName(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

class EbnfReader {
 public:
  explicit EbnfReader(std::string_view text) : cursor_(text, "the grammar") {}

  Result<Grammar> Read() {
    SkipBlanks();
    while (!cursor_.at_end()) SWITCHYARD_RETURN_IF_ERROR(ReadRule());
    for (const auto& [name, rule] : rules_) {
      if (rule.is_defined) continue;
      return cursor_.Fail(rule.first_use, fmt::format("there is no rule '{}'", name));
    }
    const auto root = rules_.find("root");
    if (root == rules_.end()) {
      return cursor_.Fail(0, "there is no rule 'root', which is where a text begins");
    }
    grammar_.SetRoot(grammar_.Rule(root->second.id));
    return std::move(grammar_);
  }

 private:
  struct KnownRule {
    RuleId id = 0;
    std::size_t first_use = 0;
    bool is_defined = false;
  };
  using Parts = std::vector<ExprId>;

  void SkipBlanks() {
    while (true) {
      const char32_t c = cursor_.Peek();
      if (c == '#') {
        while (!cursor_.at_end() && cursor_.Peek() != '\n') cursor_.Next();
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        cursor_.Next();
      } else {
        return;
      }
    }
  }

  std::string_view TakeName() {
    const std::size_t begin = cursor_.position();
    if (!BeginsName(cursor_.Peek())) return {};
    while (IsOfName(cursor_.Peek())) cursor_.Next();
    return cursor_.From(begin);
  }

  KnownRule& RuleNamed(std::string_view name, std::size_t position) {
    const auto [at, is_new] = rules_.try_emplace(std::string(name));
    if (is_new) at->second = {grammar_.AddRule(std::string(name)), position, false};
    return at->second;
  }

  base::Status ReadRule() {
    const std::size_t begin = cursor_.position();
    const std::string_view name = TakeName();
    if (name.empty()) {
      return cursor_.Fail(
          fmt::format("expected the name of a rule, but got {}", Shown(cursor_.Peek())));
    }
    SkipBlanks();
    if (!cursor_.Take("::=")) {
      return cursor_.Fail(
          fmt::format("expected '::=' behind '{}', but got {}", name, Shown(cursor_.Peek())));
    }
    KnownRule& rule = RuleNamed(name, begin);
    if (rule.is_defined) {
      return cursor_.Fail(begin, fmt::format("the rule '{}' is there twice", name));
    }
    rule.is_defined = true;
    const RuleId id = rule.id;
    SWITCHYARD_TRY(const std::vector<Parts> choices, ReadChoices());
    grammar_.Define(id, WithoutLeftRecursion(id, choices));
    return {};
  }

  // a ::= a x | b means b x*.
  ExprId WithoutLeftRecursion(RuleId rule, const std::vector<Parts>& choices) {
    Parts begins;
    Parts goes_on;
    for (const Parts& parts : choices) {
      const bool is_recursive = !parts.empty() &&
                                grammar_.expr(parts.front()).kind == Expr::Kind::kRule &&
                                grammar_.expr(parts.front()).begin == rule;
      if (is_recursive) {
        if (parts.size() > 1) goes_on.push_back(grammar_.Sequence(std::span(parts).subspan(1)));
      } else {
        begins.push_back(grammar_.Sequence(parts));
      }
    }
    const ExprId first = grammar_.Choice(begins);
    if (goes_on.empty()) return first;
    return grammar_.Sequence({first, grammar_.Repeat(grammar_.Choice(goes_on), 0)});
  }

  Result<std::vector<Parts>> ReadChoices() {
    std::vector<Parts> choices;
    do {
      SWITCHYARD_TRY(Parts parts, ReadSequence());
      choices.push_back(std::move(parts));
    } while (cursor_.Take("|"));
    return choices;
  }

  Result<Parts> ReadSequence() {
    Parts parts;
    while (true) {
      SkipBlanks();
      SWITCHYARD_TRY(const std::optional<ExprId> item, ReadItem());
      if (!item) return parts;
      SWITCHYARD_TRY(const ExprId repeated, ReadRepetitions(*item));
      parts.push_back(repeated);
    }
  }

  // None at the end of a sequence.
  Result<std::optional<ExprId>> ReadItem() {
    const std::size_t begin = cursor_.position();
    const char32_t c = cursor_.Peek();
    if (c == kEndOfText || c == '|' || c == ')') {
      if (c == ')' && groups_ == 0) return cursor_.Fail("a ')' without its '('");
      return std::nullopt;
    }
    if (c == '"') return ReadString();
    if (c == '[') return ReadClass();
    if (c == '(') return ReadGroup();
    if (cursor_.Take(".")) return grammar_.Characters(CharSet().Complement());
    if (BeginsName(c)) {
      const std::string_view name = TakeName();
      const std::size_t end = cursor_.position();
      SkipBlanks();
      if (cursor_.rest().starts_with("::=")) {  // the next rule
        cursor_.set_position(begin);
        return std::nullopt;
      }
      cursor_.set_position(end);
      return grammar_.Rule(RuleNamed(name, begin).id);
    }
    return cursor_.Fail(fmt::format(
        "expected a string, a class, a group or the name of a rule, but got {}", Shown(c)));
  }

  Result<char32_t> ReadCharacter() {
    if (!cursor_.Take("\\")) return cursor_.Next();
    SWITCHYARD_TRY(const std::optional<char32_t> escaped, internal::ReadEscape(cursor_));
    if (escaped) return *escaped;
    return cursor_.Fail(fmt::format("there is no escape \\ with {}", Shown(cursor_.Peek())));
  }

  Result<std::optional<ExprId>> ReadString() {
    const std::size_t begin = cursor_.position();
    cursor_.Next();
    Parts parts;
    while (!cursor_.Take("\"")) {
      if (cursor_.at_end() || cursor_.Peek() == '\n') {
        return cursor_.Fail(begin, "a string without its closing '\"'");
      }
      SWITCHYARD_TRY(const char32_t c, ReadCharacter());
      parts.push_back(grammar_.Characters({{c, c}}));
    }
    return grammar_.Sequence(parts);
  }

  Result<std::optional<ExprId>> ReadClass() {
    const std::size_t begin = cursor_.position();
    cursor_.Next();
    const bool is_negated = cursor_.Take("^");
    std::vector<CharRange> ranges;
    while (!cursor_.Take("]")) {
      if (cursor_.at_end()) return cursor_.Fail(begin, "a class without its closing ']'");
      const std::size_t at = cursor_.position();
      SWITCHYARD_TRY(const char32_t first, ReadCharacter());
      char32_t last = first;
      if (cursor_.rest().starts_with("-") && !cursor_.rest().starts_with("-]")) {
        cursor_.Next();
        if (cursor_.at_end()) return cursor_.Fail(begin, "a class without its closing ']'");
        SWITCHYARD_TRY(last, ReadCharacter());
        if (last < first) return cursor_.Fail(at, "a range that ends before it begins");
      }
      ranges.push_back({first, last});
    }
    const CharSet set(std::move(ranges));
    return grammar_.Characters(is_negated ? set.Complement() : set);
  }

  Result<std::optional<ExprId>> ReadGroup() {
    const std::size_t begin = cursor_.position();
    if (groups_ >= kMostGroups) {
      return cursor_.Fail(fmt::format("more than {} groups one within another", kMostGroups));
    }
    cursor_.Next();
    if (cursor_.Take("=")) return cursor_.Fail(begin, "looking ahead, (= …), is not supported");
    ++groups_;
    SWITCHYARD_TRY(const std::vector<Parts> choices, ReadChoices());
    --groups_;
    if (!cursor_.Take(")")) return cursor_.Fail(begin, "a '(' without its ')'");
    Parts sequences;
    for (const Parts& parts : choices) sequences.push_back(grammar_.Sequence(parts));
    return grammar_.Choice(sequences);
  }

  Result<ExprId> ReadRepetitions(ExprId item) {
    for (int repetitions = 0;; ++repetitions) {
      const std::size_t end = cursor_.position();
      SkipBlanks();
      const std::size_t begin = cursor_.position();
      if (cursor_.Take("*")) {
        item = grammar_.Repeat(item, 0);
      } else if (cursor_.Take("+")) {
        item = grammar_.Repeat(item, 1);
      } else if (cursor_.Take("?")) {
        item = grammar_.Optional(item);
      } else if (cursor_.Peek() == '{') {
        SWITCHYARD_TRY(item, ReadCounts(item));
      } else {
        cursor_.set_position(end);
        return item;
      }
      if (repetitions == kMostRepetitions) {
        return cursor_.Fail(begin, fmt::format("more than {} repetitions one behind another: "
                                               "repeat a group or a rule instead",
                                               kMostRepetitions));
      }
    }
  }

  Result<ExprId> ReadCounts(ExprId item) {
    const std::size_t begin = cursor_.position();
    cursor_.Next();
    SkipBlanks();
    const std::optional<std::uint32_t> min = cursor_.Number();
    std::optional<std::uint32_t> max = min;
    SkipBlanks();
    if (cursor_.Take(",")) {
      SkipBlanks();
      max = cursor_.Peek() == '}' ? kUnbounded : cursor_.Number();
    }
    SkipBlanks();
    if (!max || !cursor_.Take("}") || (!min && *max == kUnbounded)) {
      return cursor_.Fail(begin, "a repetition is {n}, {n,}, {,m} or {n,m} with numbers");
    }
    if (min.value_or(0) > *max)
      return cursor_.Fail(begin, "a repetition with a minimum above its maximum");
    return grammar_.Repeat(item, min.value_or(0), *max);
  }

  TextCursor cursor_;
  Grammar grammar_;
  std::map<std::string, KnownRule, std::less<>> rules_;
  int groups_ = 0;
};

}  // namespace

Result<Grammar> FromEbnf(std::string_view text) { return EbnfReader(text).Read(); }

}  // namespace switchyard::grammar
