// Follows one text through a grammar, token by token. Its state is a function of the tokens alone:
// to go on elsewhere, give a new one the same tokens. One thread at a time; copies are cheap and go
// their own ways.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "grammar/compiled_grammar.h"
#include "grammar/token_mask.h"

namespace switchyard::grammar {

class Matcher {
 public:
  // The grammar is shared with all texts that follow it. `at_start`: no other text stands before
  // the first token, which may then lack its space.
  explicit Matcher(std::shared_ptr<const CompiledGrammar> grammar, bool at_start = true);

  // False, and nothing changes, if the token does not fit. End tokens have no part in this: they
  // fit where is_complete().
  bool Accept(TokenId token);
  bool AcceptText(std::string_view bytes);
  // Which tokens Accept takes now. Fails where the grammar is too ambiguous to tell in time.
  base::Result<std::shared_ptr<const TokenMask>> NextTokens();

  // The text may end here.
  bool is_complete() const { return is_complete_; }
  // It must: no further byte fits.
  bool is_over() const { return is_over_; }

 private:
  // Under the grammar's mutex: the table of now, with this text's place in it.
  internal::MaskTable& Table();
  bool Move(std::string_view bytes);

  std::shared_ptr<const CompiledGrammar> grammar_;
  std::shared_ptr<internal::MaskTable> table_;  // with the grammar and its other matchers
  std::uint32_t config_ = 0;
  bool at_start_;
  bool is_complete_ = false;
  bool is_over_ = false;
};

}  // namespace switchyard::grammar
