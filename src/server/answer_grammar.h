// The compiled grammar that a request's answers must follow. Any thread.
#pragma once

#include "protocol/completion_request.h"
#include "server/server_state.h"

namespace switchyard::server {

// Null if the answers are free. Compiles it on this thread, unless the server has it.
protocol::ApiResult<GrammarCache::Compiled> CompileGrammar(
    const protocol::CompletionRequest& request, const protocol::AnswerForm& form,
    ServerState& state);

}  // namespace switchyard::server
