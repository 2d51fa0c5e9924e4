// The parts of JSON as expressions of a grammar: strings, numbers, any value. White space is short
// and only where texts have it, so that no model can go on with it for ever. Used while one grammar
// is built; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

class JsonText {
 public:
  // `blank` may stand behind { [ , and : and before } and ]. `grammar` outlives this.
  JsonText(Grammar& grammar, ExprId blank);
  // A space, or a new line and its indentation, or nothing.
  static ExprId ShortBlank(Grammar& grammar);

  ExprId blank() const { return blank_; }
  ExprId String() { return grammar_.Rule(string_); }
  ExprId Quoted(ExprId content);
  // One character of `set` within quotes; escaped where it must be.
  ExprId Spell(const CharSet& set);
  ExprId Character() { return grammar_.Rule(character_); }
  ExprId Integer() { return grammar_.Rule(integer_); }
  ExprId Number() { return grammar_.Rule(number_); }
  ExprId Boolean();
  ExprId Null() { return grammar_.Literal("null"); }
  ExprId Value() { return grammar_.Rule(value_); }
  ExprId Object() { return grammar_.Rule(object_); }

  // "key": value
  ExprId Member(ExprId key, ExprId value);
  ExprId Separator();  // between members or items
  ExprId Braces(ExprId members);
  // `first` one behind the other, then more of `rest` (none: no more), `min` to `max` in all.
  ExprId Array(std::span<const ExprId> first, std::optional<ExprId> rest, std::uint32_t min,
               std::uint32_t max);
  ExprId Array(ExprId item) { return Array({}, item, 0, kUnbounded); }
  // A string that is none of `taken`, written without escapes.
  ExprId KeyOtherThan(std::span<const std::string> taken);
  ExprId Constant(const base::Json& value);

 private:
  Grammar& grammar_;
  ExprId blank_;
  RuleId character_ = 0;
  RuleId string_ = 0;
  RuleId integer_ = 0;
  RuleId number_ = 0;
  RuleId value_ = 0;
  RuleId object_ = 0;
  std::map<std::vector<CharRange>, ExprId> spelled_;  // what Spell made, by set
};

}  // namespace switchyard::grammar
