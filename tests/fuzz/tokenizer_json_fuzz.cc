// Arbitrary bytes as a tokenizer.json: it must load or be refused, and what loads must encode and
// decode any short text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "model/tokenizer.h"
#include "use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using switchyard::model::Tokenizer;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const auto tokenizer = Tokenizer::FromHuggingFace(input, "");
  if (!tokenizer) return 0;
  switchyard::fuzz::UseTokenizer(**tokenizer, input);
  return 0;
}
