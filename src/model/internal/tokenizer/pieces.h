// A text on its way through pre-tokenization: one buffer and the pieces that it is cut into.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/internal/tokenizer/regex.h"

namespace switchyard::model::tokenization {

struct Pieces {
  std::string text;         // valid UTF-8
  std::vector<Span> spans;  // in order, not overlapping, none empty
  bool at_start = true;     // whether the text begins where the whole input begins
  RegexScratch* scratch = nullptr;

  std::string_view Piece(Span span) const {
    return std::string_view(text).substr(span.begin, span.end - span.begin);
  }
};

}  // namespace switchyard::model::tokenization
