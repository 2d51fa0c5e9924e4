// How each family of byte-level BPE vocabularies cuts text, by the name that GGUF files give in
// tokenizer.ggml.pre. A tokenizer.json says this itself and doesn't need the table.
#pragma once

#include <span>
#include <string_view>

namespace switchyard::model::tokenization {

struct ByteLevelFamily {
  std::span<const std::string_view> names;
  // Applied one after the other, each isolating its matches within the pieces of the one before.
  std::span<const std::string_view> patterns;
  bool ignore_merges = false;
  bool adds_bos = false;  // unless the file says otherwise
  bool composes = false;  // text is normalized to NFC first
};

// Null if no family has that name.
const ByteLevelFamily* FindByteLevelFamily(std::string_view name);

}  // namespace switchyard::model::tokenization
