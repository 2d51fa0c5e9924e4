#include "server/answer_grammar.h"

#include <optional>

#include "protocol/answer_grammar.h"

namespace switchyard::server {

protocol::ApiResult<GrammarCache::Compiled> CompileGrammar(
    const protocol::CompletionRequest& request, const protocol::AnswerForm& form,
    ServerState& state) {
  if (!protocol::NeedsGrammar(request)) return nullptr;
  const auto vocabulary = state.text.vocabulary();
  const auto is_special = [&](std::string_view mark) {
    const auto token = state.text.FindToken(mark);
    return token && vocabulary->bytes(*token, false) == grammar::SpecialSpelling(mark);
  };
  std::optional<protocol::ApiError> refused;
  auto compiled = state.grammars.Get(
      protocol::GrammarKey(request, form), vocabulary, [&]() -> base::Result<grammar::Grammar> {
        auto made = protocol::AnswerGrammar(request, form, is_special);
        if (made) return std::move(*made);
        refused = std::move(made.error());
        return base::Fail(base::ErrorCode::kInvalidArgument, "{}", refused->message);
      });
  if (compiled) return std::move(*compiled);
  if (refused) return std::unexpected(std::move(*refused));
  return std::unexpected(protocol::InvalidGrammar(request, compiled.error()));
}

}  // namespace switchyard::server
