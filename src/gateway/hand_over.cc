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
  const MemberState& state = *member.state;
  return state.abilities.continuation == Known::kYes ||
         (member.config->kind == MemberKind::kSwitchyard &&
          state.abilities.continuation == Known::kUnknown);
}

}  // namespace

HandOverLevel LevelAt(const Member& member, const ClientRequest& request,
                      const AnswerLedger& ledger, bool may_continue) {
  if (!ledger.has_begun()) return HandOverLevel::kRestart;
  // What the client resumes itself, only it can go on with.
  if (request.outline.has_resume) return HandOverLevel::kNone;
  const bool can_resume = member.config->kind == MemberKind::kSwitchyard ||
                          member.state->abilities.resume == Known::kYes;
  if (can_resume && ledger.is_known_by_tokens()) return HandOverLevel::kTokens;
  // Of a whole answer the client has nothing.
  if (!request.outline.stream) return HandOverLevel::kRestart;
  if (may_continue && IsTextAlone(request, ledger) && Continues(member, request)) {
    return HandOverLevel::kContinue;
  }
  // Half a call cannot be held against another one, nor can what nobody has seen.
  if (ledger.has_more_than_text() || request.outline.has_tools) return HandOverLevel::kNone;
  if (request.outline.has_logprobs || request.outline.return_token_ids) return HandOverLevel::kNone;
  return HandOverLevel::kRestart;
}

bool TellsTokens(const Member& member, const ClientRequest& request) {
  if (member.config->kind == MemberKind::kSwitchyard) return true;
  return member.state->abilities.token_ids == Known::kYes &&
         protocol::IsJsonFalsy(request.outline.Find("stop"));
}

bool CanBeCarriedAsStream(const Member& member, const ClientRequest& request) {
  const protocol::RequestOutline& outline = request.outline;
  const std::string_view options = outline.Find("stream_options");  // of a whole answer: refused
  return member.config->kind == MemberKind::kSwitchyard && request.is_completion() &&
         outline.best_of <= 1 && (options.empty() || options == "null") && !outline.has_resume;
}

}  // namespace switchyard::gateway
