// What fuzz targets do with a tokenizer that loaded from the input: encode, decode and stream.
#pragma once

#include <string_view>

#include "model/tokenizer.h"

namespace switchyard::fuzz {

inline void UseTokenizer(const model::Tokenizer& tokenizer, std::string_view input) {
  // The file's own end, so that the text can use what the file defines.
  const std::string_view texts[] = {"Ab 1 <s>\n\xC3\xA9 \xF0\x9F\x98\x80'll",
                                    input.substr(input.size() > 64 ? input.size() - 64 : 0)};
  for (const std::string_view text : texts) {
    const auto ids = tokenizer.Encode(text, {.add_special = true, .parse_special = true});
    if (!ids) continue;
    tokenizer.Decode(*ids, /*skip_special=*/false);
    model::TokenStream stream(tokenizer);
    for (const auto id : *ids) stream.Push(id);
    stream.Finish();
  }
}

}  // namespace switchyard::fuzz
