// The grammar of the answers that a chat may get: calls where the request demands them, arguments
// that follow their tools' schemas, content of the form that is asked for, and reasoning in front
// of all of it. Pure functions; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "grammar/grammar.h"
#include "protocol/answer_parser.h"
#include "protocol/completion_request.h"

namespace switchyard::protocol {

// Whether the request's answers must follow one; else they are free.
bool NeedsGrammar(const CompletionRequest& request);

// Equal where the same answers are allowed by the same model; for a cache.
std::string GrammarKey(const CompletionRequest& request, const AnswerForm& form);

// `form`: of the request's answers. `is_special`: whether a mark is a special token, which has no
// text in a grammar. Takes as long as the schemas take to read.
ApiResult<grammar::Grammar> AnswerGrammar(const CompletionRequest& request, const AnswerForm& form,
                                          const std::function<bool(std::string_view)>& is_special);

// 400: what was asked for makes no grammar that can be run.
ApiError InvalidGrammar(const CompletionRequest& request, const base::Error& error);

}  // namespace switchyard::protocol
