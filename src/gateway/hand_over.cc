#include "gateway/hand_over.h"

#include "protocol/json_items.h"

namespace switchyard::gateway {
namespace {

// A message can be gone on with by its text if that is all there is to it.
bool IsTextAlone(const ClientRequest& request, const AnswerLedger& ledger) {
  const protocol::RequestOutline& outline = request.outline;
  // A grammar would begin at its beginning, and of several choices only one can be gone on with.
  return !ledger.has_more_than_text() && !outline.has_tools && !outline.has_grammar &&
         !outline.has_logprobs && outline.n == 1 && outline.prompts == 1 && !outline.echo;
}

bool Continues(const Member& member, const ClientRequest& request) {
  if (request.kind == RequestKind::kCompletions) {
    return protocol::IsJsonString(request.outline.Find("prompt"));
  }
  return member.state->abilities.continuation == Known::kYes;
}

}  // namespace

HandOverLevel LevelAt(const Member& member, const ClientRequest& request,
                      const AnswerLedger& ledger, bool may_continue) {
  if (!ledger.has_begun()) return HandOverLevel::kRestart;
  // What the client resumes itself, only it can go on with.
  if (request.outline.has_resume) return HandOverLevel::kNone;
  const bool can_resume = member.state->abilities.resume == Known::kYes;
  if (can_resume && ledger.is_known_by_tokens()) return HandOverLevel::kTokens;
  // Of a whole answer the client has nothing.
  if (!request.outline.stream) return HandOverLevel::kRestart;
  const ModelState* const model = member.Model(request.outline.model);
  if (may_continue && IsTextAlone(request, ledger) &&
      (Continues(member, request) ||
       (model != nullptr && ContinuesFromTokens(member, *model, request, ledger)))) {
    return HandOverLevel::kContinue;
  }
  // Half a call cannot be held against another one, nor can what nobody has seen.
  if (ledger.has_more_than_text() || request.outline.has_tools) return HandOverLevel::kNone;
  if (request.outline.has_logprobs || request.outline.return_token_ids) return HandOverLevel::kNone;
  return HandOverLevel::kRestart;
}

bool TellsTokens(const Member& member, const ClientRequest& request) {
  if (member.config->kind == MemberKind::kSwitchyard) return true;
  const Abilities& abilities = member.state->abilities;
  const Known tells =
      request.kind == RequestKind::kChat ? abilities.token_ids : abilities.token_prompts;
  return tells == Known::kYes && protocol::IsJsonFalsy(request.outline.Find("stop"));
}

bool ContinuesFromTokens(const Member& member, const ModelState& model,
                         const ClientRequest& request, const AnswerLedger& ledger) {
  // Nobody says what the limit is where the request has none, and completions have another one.
  const bool has_limit = request.outline.max_tokens.has_value() ||
                         (request.kind == RequestKind::kChat && model.context_tokens > 0);
  return member.config->kind == MemberKind::kOpenAi &&
         member.state->abilities.token_prompts == Known::kYes && has_limit &&
         protocol::IsJsonFalsy(request.outline.Find("stop")) && IsTextAlone(request, ledger) &&
         !ledger.TokensJson().empty();
}

bool IsAllSaid(const ClientRequest& request, const AnswerLedger& ledger) {
  const protocol::RequestOutline& outline = request.outline;
  if (!ledger.has_begun() || !IsTextAlone(request, ledger)) return false;
  // Where tokens are not told, chunks are counted, of which each has one at least.
  const std::int64_t given =
      ledger.is_known_by_tokens() ? ledger.settled_tokens() : ledger.completion_tokens();
  // A stop string or token may be the end as well.
  return protocol::IsJsonFalsy(outline.Find("stop")) &&
         protocol::IsJsonFalsy(outline.Find("stop_token_ids")) && outline.max_tokens &&
         given >= *outline.max_tokens;
}

bool CanBeCarriedAsStream(const Member& member, const ClientRequest& request) {
  const protocol::RequestOutline& outline = request.outline;
  const std::string_view options = outline.Find("stream_options");  // of a whole answer: refused
  return member.config->kind == MemberKind::kSwitchyard && request.is_completion() &&
         outline.best_of <= 1 && (options.empty() || options == "null") && !outline.has_resume;
}

}  // namespace switchyard::gateway
