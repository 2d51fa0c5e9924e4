// The four normalization forms (Unicode Standard Annex 15), of Unicode 9 as in Hugging Face's
// tokenizers: what was assigned later stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::model::unicode {

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };

// `text` must be valid UTF-8.
std::string Normalize(std::string_view text, NormalizationForm form);

}  // namespace switchyard::model::unicode
