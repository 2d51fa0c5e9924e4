// Texts in other cases, by Unicode's full mappings. Bytes that are not valid UTF-8 stay as they
// are.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::model::unicode {

// As the methods of Python's str: a sigma at the end of a word becomes a final one.
std::string ToLower(std::string_view text);
std::string ToUpper(std::string_view text);
std::string ToTitle(std::string_view text);     // str.title
std::string Capitalize(std::string_view text);  // str.capitalize
std::string SwapCase(std::string_view text);    // str.swapcase
std::string FoldCase(std::string_view text);    // str.casefold

// Each character of valid UTF-8 by itself, as tokenizers do: a final sigma is no exception.
std::string LowerEach(std::string_view text);

}  // namespace switchyard::model::unicode
