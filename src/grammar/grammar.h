// A context-free grammar over bytes, as data: rules whose bodies are expressions. The front ends
// (json_schema, regex, ebnf, choice) make one; CompiledGrammar runs it. To build a text out of
// parts, such as a tool call:
//
//   Grammar whole;
//   const ExprId body = whole.Import(schema_grammar);
//   whole.SetRoot(whole.Sequence({whole.Literal("<tool_call>"), body,
//                                 whole.Literal("</tool_call>")}));
//
// A value; one thread at a time while it is built. It takes whatever it is given, and beyond its
// bounds an empty text instead: whoever compiles it asks CheckBounds first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "grammar/char_set.h"

namespace switchyard::grammar {

using ExprId = std::uint32_t;  // of one grammar
using RuleId = std::uint32_t;  // of one grammar

inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFF;

struct Expr {
  enum class Kind : std::uint8_t {
    kLiteral,   // the bytes [begin, end) of the grammar's text
    kBytes,     // one byte of low..high
    kSequence,  // the children [begin, end), one behind the other
    kChoice,    // one of the children [begin, end)
    kRepeat,    // the child at `begin`, min to max times
    kRule,      // what the rule `begin` allows
  };
  Kind kind = Kind::kLiteral;
  std::uint8_t low = 0;
  std::uint8_t high = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  std::uint16_t depth = 1;  // of expressions one within another; a rule's body is not within
};

class Grammar {
 public:
  ExprId Literal(std::string_view text);
  ExprId Empty() { return Literal(""); }
  // No text at all fits.
  ExprId Nothing() { return Choice(std::span<const ExprId>()); }
  // One character, in UTF-8.
  ExprId Characters(const CharSet& set);
  ExprId Sequence(std::span<const ExprId> parts) { return Group(Expr::Kind::kSequence, parts); }
  ExprId Sequence(std::initializer_list<ExprId> parts) {
    return Sequence(std::span(parts.begin(), parts.size()));
  }
  ExprId Choice(std::span<const ExprId> parts) { return Group(Expr::Kind::kChoice, parts); }
  ExprId Choice(std::initializer_list<ExprId> parts) {
    return Choice(std::span(parts.begin(), parts.size()));
  }
  ExprId Repeat(ExprId part, std::uint32_t min, std::uint32_t max = kUnbounded);
  ExprId Optional(ExprId part) { return Repeat(part, 0, 1); }
  // A token that stands for no text, by its name in the vocabulary, such as "<|python_tag|>".
  ExprId SpecialToken(std::string_view name);
  // A text without `stop` in it, as long as one likes.
  ExprId TextWithout(std::string_view stop);
  // Without any of them.
  ExprId TextWithout(std::span<const std::string_view> stops);

  // A rule may be used before it is defined. Its name is for errors only.
  RuleId AddRule(std::string name);
  void Define(RuleId rule, ExprId body) { rules_[rule].body = body; }
  RuleId AddRule(std::string name, ExprId body);
  ExprId Rule(RuleId rule);
  // Takes over all rules of another grammar; what its root allows.
  ExprId Import(const Grammar& other);

  void SetRoot(ExprId root) { root_ = root; }
  ExprId root() const { return root_; }

  struct RuleBody {
    std::string name;
    ExprId body = 0;  // the empty text until it is defined
  };
  const std::vector<RuleBody>& rules() const { return rules_; }
  const Expr& expr(ExprId id) const { return exprs_[id]; }
  std::span<const ExprId> children(const Expr& expr) const {
    return std::span(children_).subspan(expr.begin, expr.end - expr.begin);
  }
  std::string_view text(const Expr& expr) const {
    return std::string_view(text_).substr(expr.begin, expr.end - expr.begin);
  }
  // kInvalidArgument: it was made deeper or larger than may be compiled; compilers call themselves
  // once for each level.
  base::Status CheckBounds() const;

 private:
  // Expressions, children and bytes.
  std::size_t size() const { return exprs_.size() + children_.size() + text_.size(); }
  // Whether there is room for so much more.
  bool HasRoom(std::size_t size, std::size_t depth = 1);
  ExprId Add(const Expr& expr);
  ExprId Bytes(std::uint8_t low, std::uint8_t high);
  ExprId Group(Expr::Kind kind, std::span<const ExprId> parts);
  void AddUtf8(char32_t first, char32_t last, std::vector<ExprId>& choices);

  std::vector<Expr> exprs_ = {Expr{}};  // the first is the empty text
  std::vector<ExprId> children_;
  std::string text_;
  std::vector<RuleBody> rules_;
  std::map<std::vector<CharRange>, ExprId> characters_;  // each set's expression, made once
  ExprId root_ = 0;
  bool is_too_deep_ = false;
  bool is_too_large_ = false;
};

// How a vocabulary spells a special token, so that no text in UTF-8 can be mistaken for it.
std::string SpecialSpelling(std::string_view name);

}  // namespace switchyard::grammar
