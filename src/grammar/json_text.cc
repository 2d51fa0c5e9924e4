#include "grammar/json_text.h"

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "grammar/internal/text_cursor.h"
#include "grammar/regex.h"

namespace switchyard::grammar {
namespace {

// Enough for any indentation; more would only be a loop.
constexpr std::uint32_t kMostIndentation = 20;

const CharSet& Control() {
  static const CharSet set = {{0, 0x1F}};
  return set;
}

// What stands in a string as it is.
const CharSet& Plain() {
  static const CharSet set = CharSet({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}).Complement();
  return set;
}

// Our own expressions have no faults.
ExprId OwnRegex(Grammar& grammar, std::string_view pattern) {
  const auto expr = AddRegex(grammar, pattern, {});
  SWITCHYARD_CHECK(expr.has_value());
  return *expr;
}

constexpr auto kShortEscapes =
    std::to_array<std::pair<char32_t, std::string_view>>({{'"', "\\\""},
                                                          {'\\', "\\\\"},
                                                          {'\b', "\\b"},
                                                          {'\f', "\\f"},
                                                          {'\n', "\\n"},
                                                          {'\r', "\\r"},
                                                          {'\t', "\\t"}});

}  // namespace

ExprId JsonText::ShortBlank(Grammar& grammar) {
  const ExprId space = grammar.Literal(" ");
  return grammar.Optional(grammar.Choice(
      {space,
       grammar.Sequence({grammar.Literal("\n"), grammar.Repeat(space, 0, kMostIndentation)})}));
}

JsonText::JsonText(Grammar& grammar, ExprId blank)
    : grammar_(grammar), blank_(grammar.Rule(grammar.AddRule("blank", blank))) {
  // A lone half of a pair of surrogates is no character, and many readers refuse it.
  const ExprId escape = OwnRegex(
      grammar, R"(\\(?:["\\/bfnrt]|u(?:[0-9A-CE-Fa-ce-f][0-9A-Fa-f]{3}|[Dd][0-7][0-9A-Fa-f]{2})"
               R"(|[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2})))");
  character_ = grammar.AddRule("character", grammar.Choice({grammar.Characters(Plain()), escape}));
  string_ = grammar.AddRule("string", Quoted(grammar.Repeat(Character(), 0)));
  // No longer than what a 64-bit integer and a double hold.
  const ExprId integer = OwnRegex(grammar, "-?(?:0|[1-9][0-9]{0,17})");
  integer_ = grammar.AddRule("integer", integer);
  number_ = grammar.AddRule(
      "number",
      OwnRegex(grammar, R"(-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,16})?(?:[eE][+-]?[0-9]{1,2})?)"));
  value_ = grammar.AddRule("value");
  const ExprId member = Member(String(), Value());
  object_ = grammar.AddRule(
      "object", Braces(grammar.Optional(grammar.Sequence(
                    {member, grammar.Repeat(grammar.Sequence({Separator(), member}), 0)}))));
  const RuleId array = grammar.AddRule("array", Array(Value()));
  grammar.Define(value_, grammar.Choice({Object(), grammar.Rule(array), String(), Number(),
                                         Boolean(), Null()}));
}

ExprId JsonText::Quoted(ExprId content) {
  const ExprId quote = grammar_.Literal("\"");
  return grammar_.Sequence({quote, content, quote});
}

ExprId JsonText::Spell(const CharSet& set) {
  if (const auto known = spelled_.find(set.ranges()); known != spelled_.end()) {
    return known->second;
  }
  std::vector<ExprId> choices = {grammar_.Characters(set.Intersect(Plain()))};
  for (const auto& [c, text] : kShortEscapes) {
    if (set.Contains(c)) choices.push_back(grammar_.Literal(text));
  }
  const CharSet control = set.Intersect(Control());
  for (const CharRange& range : control.ranges()) {
    for (char32_t c = range.first; c <= range.last; ++c) {
      choices.push_back(grammar_.Literal(fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c))));
    }
  }
  const ExprId made = grammar_.Choice(choices);
  spelled_.emplace(set.ranges(), made);
  return made;
}

ExprId JsonText::Boolean() {
  return grammar_.Choice({grammar_.Literal("true"), grammar_.Literal("false")});
}

ExprId JsonText::Member(ExprId key, ExprId value) {
  return grammar_.Sequence({key, grammar_.Literal(":"), blank_, value});
}

ExprId JsonText::Separator() { return grammar_.Sequence({grammar_.Literal(","), blank_}); }

ExprId JsonText::Braces(ExprId members) {
  return grammar_.Sequence({grammar_.Literal("{"), blank_, members, blank_, grammar_.Literal("}")});
}

ExprId JsonText::Array(std::span<const ExprId> first, std::optional<ExprId> rest, std::uint32_t min,
                       std::uint32_t max) {
  // From the last item to the first: each may be followed by what was built before.
  const auto fixed = static_cast<std::uint32_t>(first.size());
  ExprId items = grammar_.Empty();
  if (rest && max > fixed) {
    const std::uint32_t least = min > fixed ? min - fixed : 0;
    const std::uint32_t most = max == kUnbounded ? kUnbounded : max - fixed;
    const ExprId next = grammar_.Sequence({Separator(), *rest});
    if (fixed > 0) {
      items = grammar_.Repeat(next, least, most);
    } else {
      items =
          grammar_.Sequence({*rest, grammar_.Repeat(next, least > 0 ? least - 1 : 0,
                                                    most == kUnbounded ? kUnbounded : most - 1)});
      if (least == 0) items = grammar_.Optional(items);
    }
  }
  for (std::uint32_t i = fixed; i-- > 0;) {
    if (i >= max) continue;
    items = grammar_.Sequence({first[i], items});
    if (i > 0) items = grammar_.Sequence({Separator(), items});
    if (i >= min) items = grammar_.Optional(items);
    // A rule, so that expressions do not nest as deep as the list is long.
    items = grammar_.Rule(grammar_.AddRule("items", items));
  }
  return grammar_.Sequence({grammar_.Literal("["), blank_, items, blank_, grammar_.Literal("]")});
}

namespace {

// Keys that begin alike, by their next character.
struct KeyTree {
  std::map<char32_t, KeyTree> next;
  bool is_key = false;
  bool is_cut = false;  // a key goes on from here, but is too long to be followed
};

// Of a key. Others that begin with as many characters of it are not allowed either.
constexpr int kMostFollowed = 100;

ExprId OtherThan(Grammar& grammar, const KeyTree& tree, ExprId tail) {
  const ExprId end = tree.is_key ? grammar.Nothing() : grammar.Literal("\"");
  if (tree.is_cut) return end;
  std::vector<ExprId> choices = {end};
  std::vector<CharRange> taken;
  for (const auto& [c, child] : tree.next) {
    taken.push_back({c, c});
    choices.push_back(
        grammar.Sequence({grammar.Characters({{c, c}}), OtherThan(grammar, child, tail)}));
  }
  const CharSet others = Plain().Without(CharSet(std::move(taken)));
  choices.push_back(grammar.Sequence({grammar.Characters(others), tail}));
  return grammar.Choice(choices);
}

}  // namespace

ExprId JsonText::KeyOtherThan(std::span<const std::string> taken) {
  KeyTree tree;
  for (const std::string& key : taken) {
    // A key that can only be written with escapes ends at its first one: nothing meets it here.
    KeyTree* at = &tree;
    internal::TextCursor cursor(key, "the key");
    int followed = 0;
    while (!cursor.at_end() && Plain().Contains(cursor.Peek()) && followed++ < kMostFollowed) {
      at = &at->next[cursor.Next()];
    }
    at->is_cut = at->is_cut || followed > kMostFollowed;
    at->is_key = at->is_key || cursor.at_end();
  }
  const ExprId tail =
      grammar_.Sequence({grammar_.Repeat(grammar_.Characters(Plain()), 0), grammar_.Literal("\"")});
  const ExprId tail_rule = grammar_.Rule(grammar_.AddRule("key", tail));
  return grammar_.Sequence({grammar_.Literal("\""), OtherThan(grammar_, tree, tail_rule)});
}

ExprId JsonText::Constant(const base::Json& value) {
  return grammar_.Literal(base::WriteJson(value));
}

}  // namespace switchyard::grammar
