// How a member can take over an answer that another one began. Pure functions.
#pragma once

#include "gateway/answer_ledger.h"
#include "gateway/client_request.h"
#include "gateway/fleet_view.h"

namespace switchyard::gateway {

// On which level `member` can go on where the ledger stands; kNone: not at all. A request of which
// the client has nothing yet begins anew, which is kRestart.
// `may_continue`: it has not refused to go on with this answer's text.
HandOverLevel LevelAt(const Member& member, const ClientRequest& request,
                      const AnswerLedger& ledger, bool may_continue = true);

// Whether `member` is asked for token ids that tell what of the answer its client has. Other
// engines keep text back that may become a stop string, and tell its ids all the same.
bool TellsTokens(const Member& member, const ClientRequest& request);

// Whether on level 2 `member` is given the tokens so far as the prompt of /v1/completions, rather
// than text.
bool ContinuesFromTokens(const Member& member, const ModelState& model,
                         const ClientRequest& request, const AnswerLedger& ledger);

// Whether all tokens that were wanted are given, so that only the finish_reason, "length", is
// missing: who cannot be given the tokens would make one too many.
bool IsAllSaid(const ClientRequest& request, const AnswerLedger& ledger);

// Whether a whole answer may be carried as a stream, so that it can be handed over: whoever answers
// must take the request for the same.
bool CanBeCarriedAsStream(const Member& member, const ClientRequest& request);

}  // namespace switchyard::gateway
