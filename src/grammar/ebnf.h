// Grammars as llama.cpp (GBNF), XGrammar and vLLM write them:
//
//   root ::= "yes" | "no" reason?          # a comment
//   reason ::= ", since " [^\n]{1,80}
//
// Strings in double quotes with C's escapes, classes of characters, '.', groups, '|', and the
// repetitions * + ? {n} {n,} {n,m}. A rule may begin with itself directly (left recursion); by way
// of others it may not. Pure functions; any thread.
#pragma once

#include <string_view>

#include "base/error.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

// The rule `root` is what a text must fit. Errors name line and column.
base::Result<Grammar> FromEbnf(std::string_view text);

}  // namespace switchyard::grammar
