// Questions that tokenizers ask about characters, answered by Unicode 16, and the four
// normalization forms (Unicode Standard Annex 15). All text is valid UTF-8.
#pragma once

#include <string>
#include <string_view>

#include "model/internal/tokenizer/unicode_tables.h"

namespace switchyard::model::tokenization {

Category CategoryOf(char32_t point);

bool IsWhiteSpace(char32_t point);   // the property White_Space
bool IsNumber(char32_t point);       // category N*
bool IsPunctuation(char32_t point);  // category P*
bool IsAsciiPunctuation(char32_t point);
bool IsOther(char32_t point);  // control, format, private use

// Canonical Combining_Class, the order of marks on one base.
int CombiningClass(char32_t point);

// Without regard to context: a final sigma is no exception.
std::string Lowercase(std::string_view text);

enum class NormalizationForm { kNfc, kNfd, kNfkc, kNfkd };
std::string Normalize(std::string_view text, NormalizationForm form);

}  // namespace switchyard::model::tokenization
