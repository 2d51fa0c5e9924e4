// Python's str operations on UTF-8, without values or an arena: what the methods and filters share.
// Results that are parts of the input are views of it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace switchyard::model::jinja {

inline constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1);

// str.strip() and its one-sided forms.
std::string_view StripSpace(std::string_view text, bool left, bool right);
// str.strip(characters): any of its code points.
std::string_view StripCharacters(std::string_view text, std::string_view characters, bool left,
                                 bool right);

// str.split() at runs of whitespace; from the right for rsplit.
std::vector<std::string_view> SplitAtSpace(std::string_view text, std::size_t max_splits);
std::vector<std::string_view> SplitAtSpaceFromRight(std::string_view text, std::size_t max_splits);
// str.split(separator), which must not be empty.
std::vector<std::string_view> SplitAt(std::string_view text, std::string_view separator,
                                      std::size_t max_splits);
std::vector<std::string_view> SplitAtFromRight(std::string_view text, std::string_view separator,
                                               std::size_t max_splits);
std::vector<std::string_view> SplitLines(std::string_view text, bool keep_ends);

bool IsLowerText(std::string_view text);  // str.islower
bool IsUpperText(std::string_view text);  // str.isupper

// Occurrences that don't overlap; an empty needle occurs around every code point.
std::size_t CountOccurrences(std::string_view text, std::string_view needle);

}  // namespace switchyard::model::jinja
