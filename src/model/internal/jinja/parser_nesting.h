// The guard against deep nesting that both halves of the parser use.
#pragma once

#include "model/internal/jinja/failure.h"
#include "model/internal/jinja/parser.h"

namespace switchyard::model::jinja {

// Tags, brackets, else-branches and signs inside one another. Published templates need about 30.
inline constexpr int kMaxNesting = 150;
// Operands in a row, such as a + b + c, which make a tree as deep as the row is long.
inline constexpr int kMaxTreeDepth = 300;

class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) {
    if (++parser_.nesting_ > kMaxNesting) {
      Raise(FailureKind::kSyntax, "the template is nested deeper than {} levels", kMaxNesting);
    }
  }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

}  // namespace switchyard::model::jinja
