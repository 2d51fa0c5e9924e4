#include "model/tokenizer.h"

#include <utility>

#include "model/internal/tokenizer/gguf_loader.h"
#include "model/internal/tokenizer/hugging_face_loader.h"
#include "model/internal/unicode/utf8.h"

namespace switchyard::model {

base::Result<std::unique_ptr<Tokenizer>> Tokenizer::FromGguf(const GgufFile& file) {
  return tokenization::LoadGguf(file);
}

base::Result<std::unique_ptr<Tokenizer>> Tokenizer::FromHuggingFace(
    std::string_view tokenizer_json, std::string_view tokenizer_config) {
  return tokenization::LoadHuggingFace(tokenizer_json, tokenizer_config);
}

TokenStream::TokenStream(const Tokenizer& tokenizer, bool skip_special, bool at_start)
    : tokenizer_(&tokenizer), skip_special_(skip_special), at_start_(at_start) {}

std::string TokenStream::Push(TokenId id, bool is_shown) {
  const bool skip_special = skip_special_ && !is_shown;
  pending_.append(tokenizer_->TokenBytes(id, skip_special, at_start_));
  const bool is_skipped =
      id < 0 || id >= tokenizer_->vocabulary_size() || (skip_special && tokenizer_->IsSpecial(id));
  if (!is_skipped) at_start_ = false;
  std::string rest = pending_.substr(unicode::CompleteUtf8Length(pending_));
  pending_.resize(pending_.size() - rest.size());
  return unicode::ReplaceBrokenUtf8(std::exchange(pending_, std::move(rest)));
}

std::string TokenStream::Finish() {
  return unicode::ReplaceBrokenUtf8(std::exchange(pending_, std::string()));
}

}  // namespace switchyard::model
