// Arbitrary bytes as a text for tokenizers of several kinds, or as a sequence of token ids. A text
// must encode without fault, and the same for its repaired form; streaming must equal decoding.
// Run from the repository root, where the tiny vocabularies of the tests lie.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/internal/unicode/utf8.h"
#include "model/tokenizer.h"

namespace {

using switchyard::model::TokenId;
using switchyard::model::Tokenizer;
using switchyard::model::TokenStream;

std::vector<std::unique_ptr<Tokenizer>> LoadAll() {
  std::vector<std::unique_ptr<Tokenizer>> tokenizers;
  for (const char* name : {"byte_level", "split_byte_level", "metaspace_bpe", "unigram",
                           "unigram_bytes", "wordpiece", "inverted_splits", "normalizers"}) {
    std::ifstream file(std::string("tests/tokenizers/tiny/") + name + ".json");
    const std::string text(std::istreambuf_iterator<char>(file), {});
    auto tokenizer = Tokenizer::FromHuggingFace(text, "");
    if (!tokenizer) std::abort();
    tokenizers.push_back(std::move(*tokenizer));
  }
  return tokenizers;
}

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckStream(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  TokenStream stream(tokenizer, /*skip_special=*/false);
  std::string text;
  for (const TokenId id : ids) {
    const std::string part = stream.Push(id);
    Require(switchyard::model::unicode::IsValidUtf8(part));
    text += part;
  }
  text += stream.Finish();
  Require(text == tokenizer.Decode(ids, /*skip_special=*/false));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  static const std::vector<std::unique_ptr<Tokenizer>> tokenizers = LoadAll();
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const auto& tokenizer : tokenizers) {
    const Tokenizer::EncodeOptions options = {.add_special = false, .parse_special = true};
    const auto ids = tokenizer->Encode(text, options);
    const std::string repaired = switchyard::model::unicode::ReplaceBrokenUtf8(text);
    const auto again = tokenizer->Encode(repaired, options);
    Require(ids.has_value() == again.has_value());
    if (ids) {
      Require(*ids == *again);
      CheckStream(*tokenizer, *ids);
    }
    std::vector<TokenId> arbitrary;
    for (std::size_t i = 0; i + 1 < size; i += 2) arbitrary.push_back(bytes[i] << 8 | bytes[i + 1]);
    CheckStream(*tokenizer, arbitrary);
  }
  return 0;
}
