// Arbitrary bytes as a GGUF file with a tokenizer: it must load or be refused, and what loads must
// encode and decode any short text.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/gguf.h"
#include "model/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using switchyard::model::GgufFile;
  using switchyard::model::Tokenizer;
  using switchyard::model::TokenStream;
  const std::span input(reinterpret_cast<const std::byte*>(bytes), size);
  const auto file = GgufFile::Parse(input, "fuzz");
  if (!file) return 0;
  const auto tokenizer = Tokenizer::FromGguf(*file);
  if (!tokenizer) return 0;
  const std::string_view all(reinterpret_cast<const char*>(bytes), size);
  // The file's own end, so that the text can use what the file defines.
  const std::string_view texts[] = {"Ab 1 <s>\n\xC3\xA9 \xF0\x9F\x98\x80'll",
                                    all.substr(size > 64 ? size - 64 : 0)};
  for (const std::string_view text : texts) {
    const auto ids = (*tokenizer)->Encode(text, {.add_special = true, .parse_special = true});
    (*tokenizer)->Decode(ids, /*skip_special=*/false);
    TokenStream stream(**tokenizer);
    for (const auto id : ids) stream.Push(id);
    stream.Finish();
  }
  return 0;
}
