#include "grammar/grammar.h"

#include <algorithm>
#include <array>

namespace switchyard::grammar {
namespace {

// The last character of each length in UTF-8 but the longest.
constexpr std::array<char32_t, 3> kLastOfLength = {0x7F, 0x7FF, 0xFFFF};

// Groups of EBNF may stand 200 deep, each a choice of sequences of repetitions.
constexpr std::size_t kMostDepth = 1000;
// Some hundred megabytes; an automaton of the most states that may be comes from far less.
constexpr std::size_t kMostSize = 5'000'000;

std::uint16_t Above(std::uint16_t depth) { return static_cast<std::uint16_t>(depth + 1); }

// As of x?, x* and x+; one of another is one of them again.
bool IsPlain(std::uint32_t min, std::uint32_t max) {
  return min <= 1 && (max == 1 || max == kUnbounded);
}

std::vector<std::uint8_t> Utf8(char32_t c) {
  const auto byte = [](char32_t value) { return static_cast<std::uint8_t>(value); };
  const auto tail = [&](int shift) { return byte(0x80 | ((c >> shift) & 0x3F)); };
  if (c <= kLastOfLength[0]) return {byte(c)};
  if (c <= kLastOfLength[1]) return {byte(0xC0 | (c >> 6)), tail(0)};
  if (c <= kLastOfLength[2]) return {byte(0xE0 | (c >> 12)), tail(6), tail(0)};
  return {byte(0xF0 | (c >> 18)), tail(12), tail(6), tail(0)};
}

}  // namespace

std::string SpecialSpelling(std::string_view name) { return fmt::format("\xFF{}\xFE", name); }

bool Grammar::HasRoom(std::size_t size, std::size_t depth) {
  if (depth > kMostDepth) is_too_deep_ = true;
  if (this->size() + size > kMostSize) is_too_large_ = true;
  return !is_too_deep_ && !is_too_large_;
}

base::Status Grammar::CheckBounds() const {
  if (is_too_deep_) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the grammar has groups and repetitions more than {} deep one within "
                      "another: write those within as rules of their own",
                      kMostDepth);
  }
  if (!is_too_large_) return {};
  return base::Fail(base::ErrorCode::kInvalidArgument,
                    "the grammar is too large (more than {} parts): use fewer and shorter rules, "
                    "patterns and lists",
                    kMostSize);
}

ExprId Grammar::Add(const Expr& expr) {
  if (!HasRoom(1, expr.depth)) return Empty();
  exprs_.push_back(expr);
  return static_cast<ExprId>(exprs_.size() - 1);
}

ExprId Grammar::Literal(std::string_view text) {
  if (text.empty() || !HasRoom(text.size())) return 0;
  const auto begin = static_cast<std::uint32_t>(text_.size());
  text_ += text;
  return Add({.kind = Expr::Kind::kLiteral,
              .begin = begin,
              .end = static_cast<std::uint32_t>(text_.size())});
}

ExprId Grammar::Bytes(std::uint8_t low, std::uint8_t high) {
  return Add({.kind = Expr::Kind::kBytes, .low = low, .high = high});
}

ExprId Grammar::Group(Expr::Kind kind, std::span<const ExprId> parts) {
  if (parts.size() == 1) return parts.front();
  if (parts.empty() && kind == Expr::Kind::kSequence) return Empty();
  if (!HasRoom(parts.size())) return Empty();
  const auto begin = static_cast<std::uint32_t>(children_.size());
  children_.insert(children_.end(), parts.begin(), parts.end());
  std::uint16_t depth = 0;
  for (const ExprId part : parts) depth = std::max(depth, exprs_[part].depth);
  return Add({.kind = kind,
              .begin = begin,
              .end = static_cast<std::uint32_t>(children_.size()),
              .depth = Above(depth)});
}

ExprId Grammar::Repeat(ExprId part, std::uint32_t min, std::uint32_t max) {
  if (max == 0) return Empty();
  if (min == 1 && max == 1) return part;
  const Expr inner = exprs_[part];
  if (inner.kind == Expr::Kind::kRepeat && IsPlain(inner.min, inner.max) && IsPlain(min, max)) {
    return Repeat(inner.begin, inner.min * min, std::max(inner.max, max));
  }
  return Add({.kind = Expr::Kind::kRepeat,
              .begin = part,
              .min = min,
              .max = max,
              .depth = Above(inner.depth)});
}

// Cuts the range where the encodings of its ends stop having the same shape, until each piece is a
// sequence of byte ranges (as RE2 does).
void Grammar::AddUtf8(char32_t first, char32_t last, std::vector<ExprId>& choices) {
  for (const char32_t border : kLastOfLength) {
    if (first > border || last <= border) continue;
    AddUtf8(first, border, choices);
    return AddUtf8(border + 1, last, choices);
  }
  const std::vector<std::uint8_t> low = Utf8(first);
  for (std::size_t i = 1; i < low.size(); ++i) {
    const char32_t tail = (char32_t{1} << (6 * i)) - 1;  // the bits of the last i bytes
    if ((first & ~tail) == (last & ~tail)) continue;
    if ((first & tail) != 0) {
      AddUtf8(first, first | tail, choices);
      return AddUtf8((first | tail) + 1, last, choices);
    }
    if ((last & tail) != tail) {
      AddUtf8(first, (last & ~tail) - 1, choices);
      return AddUtf8(last & ~tail, last, choices);
    }
  }
  const std::vector<std::uint8_t> high = Utf8(last);
  std::vector<ExprId> bytes;
  for (std::size_t i = 0; i < low.size(); ++i) bytes.push_back(Bytes(low[i], high[i]));
  choices.push_back(Sequence(bytes));
}

ExprId Grammar::Characters(const CharSet& set) {
  if (const auto known = characters_.find(set.ranges()); known != characters_.end()) {
    return known->second;
  }
  std::vector<ExprId> choices;
  for (const CharRange& range : set.ranges()) AddUtf8(range.first, range.last, choices);
  const ExprId made = Choice(choices);
  characters_.emplace(set.ranges(), made);
  return made;
}

ExprId Grammar::SpecialToken(std::string_view name) { return Literal(SpecialSpelling(name)); }

ExprId Grammar::TextWithout(std::string_view stop) {
  return TextWithout(std::span(&stop, 1));
}

// The states of Aho and Corasick's search for the stops, as rules that go on as one another. Bytes
// from 0x80 are taken as they come outside of stops: where the text must be UTF-8, the vocabulary's
// whole characters see to that.
ExprId Grammar::TextWithout(std::span<const std::string_view> stops) {
  std::vector<std::string> states = {""};  // the stops' beginnings, which a text may end with
  for (const std::string_view stop : stops) {
    SWITCHYARD_CHECK(!stop.empty());
    for (std::size_t length = 1; length < stop.size(); ++length) {
      if (std::ranges::find(states, stop.substr(0, length)) == states.end()) {
        states.emplace_back(stop.substr(0, length));
      }
    }
  }
  // The longest of them behind one more byte; past the last if that ends a stop.
  const auto after = [&](const std::string& state, unsigned byte) {
    const std::string text = state + static_cast<char>(byte);
    if (std::ranges::any_of(stops, [&](auto stop) { return text.ends_with(stop); })) {
      return states.size();
    }
    std::string_view rest = text;
    auto found = std::ranges::find(states, rest);
    for (; found == states.end(); found = std::ranges::find(states, rest)) rest.remove_prefix(1);
    return static_cast<std::size_t>(found - states.begin());
  };
  std::vector<RuleId> rules;
  for (std::size_t i = 0; i < states.size(); ++i) rules.push_back(AddRule("text"));
  constexpr unsigned kTextBytes = 0xF8;  // no byte of UTF-8, nor of a special token, from here on
  for (std::size_t i = 0; i < states.size(); ++i) {
    std::array<std::size_t, kTextBytes> next{};
    for (unsigned byte = 0; byte < kTextBytes; ++byte) next[byte] = after(states[i], byte);
    std::vector<ExprId> choices = {Empty()};
    for (unsigned low = 0; low < kTextBytes;) {
      unsigned high = low;
      while (high + 1 < kTextBytes && next[high + 1] == next[low]) ++high;
      if (next[low] < states.size()) {
        choices.push_back(
            Sequence({Bytes(static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high)),
                      Rule(rules[next[low]])}));
      }
      low = high + 1;
    }
    Define(rules[i], Choice(choices));
  }
  return Rule(rules.front());
}

RuleId Grammar::AddRule(std::string name) {
  rules_.push_back({std::move(name), 0});
  return static_cast<RuleId>(rules_.size() - 1);
}

RuleId Grammar::AddRule(std::string name, ExprId body) {
  const RuleId rule = AddRule(std::move(name));
  Define(rule, body);
  return rule;
}

ExprId Grammar::Rule(RuleId rule) { return Add({.kind = Expr::Kind::kRule, .begin = rule}); }

ExprId Grammar::Import(const Grammar& other) {
  is_too_deep_ |= other.is_too_deep_;
  is_too_large_ |= other.is_too_large_;
  if (!HasRoom(other.size())) return Empty();
  const auto exprs = static_cast<std::uint32_t>(exprs_.size());
  const auto children = static_cast<std::uint32_t>(children_.size());
  const auto text = static_cast<std::uint32_t>(text_.size());
  const auto rules = static_cast<std::uint32_t>(rules_.size());
  text_ += other.text_;
  for (const ExprId child : other.children_) children_.push_back(child + exprs);
  for (const RuleBody& rule : other.rules_) rules_.push_back({rule.name, rule.body + exprs});
  for (Expr expr : other.exprs_) {
    switch (expr.kind) {
      case Expr::Kind::kLiteral:
        expr.begin += text;
        expr.end += text;
        break;
      case Expr::Kind::kBytes:
        break;
      case Expr::Kind::kSequence:
      case Expr::Kind::kChoice:
        expr.begin += children;
        expr.end += children;
        break;
      case Expr::Kind::kRepeat:
        expr.begin += exprs;
        break;
      case Expr::Kind::kRule:
        expr.begin += rules;
        break;
    }
    exprs_.push_back(expr);
  }
  return other.root_ + exprs;
}

}  // namespace switchyard::grammar
