#include "grammar/matcher.h"

#include <utility>

#include "grammar/internal/mask_table.h"

namespace switchyard::grammar {

Matcher::Matcher(std::shared_ptr<const CompiledGrammar> grammar, bool at_start)
    : grammar_(std::move(grammar)), at_start_(at_start) {
  const std::lock_guard lock(grammar_->mutex_);
  table_ = grammar_->Table();
  config_ = table_->configurations().Start();
  Move("");
}

internal::MaskTable& Matcher::Table() {
  const std::shared_ptr<internal::MaskTable>& now = grammar_->Table();
  if (now != table_) {
    config_ = now->configurations().Adopt(std::as_const(*table_).configurations(), config_);
    table_ = now;
  }
  return *table_;
}

bool Matcher::Move(std::string_view bytes) {
  internal::Configurations& configurations = Table().configurations();
  internal::ConfigId config = config_;
  for (const char byte : bytes) {
    config = configurations.Step(config, static_cast<std::uint8_t>(byte));
    if (config == internal::kDead) return false;
  }
  config_ = config;
  is_complete_ = configurations.is_complete(config);
  is_over_ = configurations.threads(config).empty();
  return true;
}

bool Matcher::Accept(TokenId token) {
  const std::string_view bytes = grammar_->vocabulary().bytes(token, at_start_);
  return !bytes.empty() && AcceptText(bytes);
}

bool Matcher::AcceptText(std::string_view bytes) {
  const std::lock_guard lock(grammar_->mutex_);
  if (!Move(bytes)) return false;
  at_start_ = at_start_ && bytes.empty();
  return true;
}

base::Result<std::shared_ptr<const TokenMask>> Matcher::NextTokens() {
  const std::lock_guard lock(grammar_->mutex_);
  internal::MaskTable& table = Table();
  return at_start_ ? table.StartMask() : table.Mask(config_);
}

}  // namespace switchyard::grammar
