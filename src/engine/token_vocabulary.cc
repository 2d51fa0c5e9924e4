#include "engine/token_vocabulary.h"

#include <utility>

#include "grammar/grammar.h"

namespace switchyard::engine {

std::shared_ptr<const grammar::Vocabulary> MakeVocabulary(const model::Tokenizer& tokenizer) {
  grammar::VocabularyBytes bytes;
  bool differs = false;
  const std::int32_t size = tokenizer.vocabulary_size();
  for (model::TokenId id = 0; id < size; ++id) {
    std::string text = tokenizer.TokenBytes(id, /*skip_special=*/false);
    if (tokenizer.IsSpecial(id)) {
      text = text.empty() ? text : grammar::SpecialSpelling(text);
      bytes.at_start.push_back(text);
    } else {
      bytes.at_start.push_back(tokenizer.TokenBytes(id, /*skip_special=*/false, /*at_start=*/true));
      differs = differs || bytes.at_start.back() != text;
    }
    bytes.tokens.push_back(std::move(text));
  }
  if (!differs) bytes.at_start.clear();
  return std::make_shared<const grammar::Vocabulary>(std::move(bytes));
}

}  // namespace switchyard::engine
