// What a member is sent for a client's request: the client's own bytes, with those fields set that
// this member is to be asked for. Pure functions.
#pragma once

#include <memory>
#include <string>

#include "gateway/answer_ledger.h"
#include "gateway/client_request.h"
#include "gateway/fleet_view.h"
#include "net/http_client.h"

namespace switchyard::gateway {

struct AskPlan {
  bool as_stream = false;      // also where the client wants a whole answer
  bool asks_token_ids = false;
  bool from_tokens = false;  // of kContinue: by /v1/completions
  HandOverLevel level = HandOverLevel::kRestart;  // of kTokens and kContinue the ledger tells
};

// `request` is kept by what is returned.
net::CallRequest ToMember(const std::shared_ptr<const ClientRequest>& request,
                          const Member& member, const ModelState& model, const AskPlan& plan,
                          const AnswerLedger& ledger);

}  // namespace switchyard::gateway
