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

// What matching needs besides the pattern; one for each thread at a time, kept over many matches.
class RegexScratch {
 public:
  RegexScratch();
  ~RegexScratch();
  RegexScratch(const RegexScratch&) = delete;
  RegexScratch& operator=(const RegexScratch&) = delete;

 private:
  friend class Regex;
  struct State;
  std::unique_ptr<State> state_;  // null until the first match
};

class Regex {
 public:
  static base::Result<Regex> Compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // Appends every match in `text` (valid UTF-8), leftmost first. The steps for one match are
  // bounded in proportion to the text; a pattern that needs more matches nothing from there on.
  void FindAll(std::string_view text, RegexScratch* scratch, std::vector<Span>* matches) const;

 private:
  struct Program;
  explicit Regex(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

}  // namespace switchyard::model::tokenization
