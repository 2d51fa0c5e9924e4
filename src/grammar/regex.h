// Regular expressions, as vLLM's guided_regex and JSON Schema's `pattern` have them: literals,
// classes, \d \w \s and their opposites (ASCII, except that opposites hold all other characters),
// groups, alternatives, greedy and lazy repetitions, and ^ and $ at the ends. What would need more
// than an automaton (back references, looking around, word boundaries) is refused by name. Pure
// functions; any thread.
#pragma once

#include <functional>
#include <string_view>

#include "base/error.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

// The whole text must match. Errors name line and column.
base::Result<Grammar> FromRegex(std::string_view pattern);

struct RegexOptions {
  std::string_view subject = "the regular expression";  // in errors
  // The text need only hold a match, as JSON Schema says, unless ^ and $ say otherwise.
  bool anywhere = false;
  // How a character of a set is written; none: as it is, in UTF-8.
  std::function<ExprId(Grammar&, const CharSet&)> spelling = {};
};

// What `pattern` matches, as a part of `grammar`.
base::Result<ExprId> AddRegex(Grammar& grammar, std::string_view pattern,
                              const RegexOptions& options);

}  // namespace switchyard::grammar
