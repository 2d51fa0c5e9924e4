// What a tokenizer file searches for: a literal string or a regular expression.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/regex.h"

namespace switchyard::model::tokenization {

class Pattern {
 public:
  explicit Pattern(std::string literal) : form_(std::move(literal)) {}
  explicit Pattern(Regex regex) : form_(std::move(regex)) {}

  // Appends every match, leftmost first and not overlapping. An empty literal matches nothing.
  // Fails where Regex::FindAll does.
  base::Status FindAll(std::string_view text, RegexScratch* scratch,
                       std::vector<Span>* matches) const {
    if (const auto* regex = std::get_if<Regex>(&form_)) {
      return regex->FindAll(text, scratch, matches);
    }
    const std::string& literal = std::get<std::string>(form_);
    if (literal.empty()) return {};
    for (std::size_t at = text.find(literal); at != std::string_view::npos;
         at = text.find(literal, at + literal.size())) {
      matches->push_back({at, at + literal.size()});
    }
    return {};
  }

  const std::string* literal() const { return std::get_if<std::string>(&form_); }

 private:
  std::variant<std::string, Regex> form_;
};

}  // namespace switchyard::model::tokenization
