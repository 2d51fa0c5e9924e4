// Arbitrary bytes as a GGUF file with a tokenizer: it must load or be refused, and what loads must
// encode and decode any short text.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/gguf.h"
#include "model/tokenizer.h"
#include "use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using switchyard::model::GgufFile;
  using switchyard::model::Tokenizer;
  const std::span input(reinterpret_cast<const std::byte*>(bytes), size);
  const auto file = GgufFile::Parse(input, "fuzz");
  if (!file) return 0;
  const auto tokenizer = Tokenizer::FromGguf(*file);
  if (!tokenizer) return 0;
  switchyard::fuzz::UseTokenizer(**tokenizer, {reinterpret_cast<const char*>(bytes), size});
  return 0;
}
