// A tokenizer's tokens as grammars want them. Any thread.
#pragma once

#include <memory>

#include "grammar/vocabulary.h"
#include "model/tokenizer.h"

namespace switchyard::engine {

// Takes some 10 ms; made once for a model and shared by its grammars.
std::shared_ptr<const grammar::Vocabulary> MakeVocabulary(const model::Tokenizer& tokenizer);

}  // namespace switchyard::engine
