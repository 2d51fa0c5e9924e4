// Regular expressions as tokenizer files write them, which means Oniguruma's Ruby syntax on Unicode
// 16, run by PCRE2. A pattern is rewritten where the two read it differently, and characters that
// PCRE2's Unicode doesn't know yet are shown to it as older ones of the same category.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::model::tokenization {

struct Span {
  std::size_t begin;
  std::size_t end;
};

// What matching needs besides the pattern, and what is left of the steps that a text may take: one
// for each text, whose parts may be searched one by one.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  class Search;
  std::unique_ptr<State> state_;  // null until the first match
};

class Regex {
 public:
  static base::Result<Regex> Compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // Appends every match in `text` (valid UTF-8), leftmost first. The steps for all that is searched
  // with one scratch are bounded in proportion to its length; fails where a pattern needs more.
  base::Status FindAll(std::string_view text, RegexScratch* scratch,
                       std::vector<Span>* matches) const;

 private:
  struct Program;
  explicit Regex(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace switchyard::model::tokenization
