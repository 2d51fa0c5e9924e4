// What the server's parts share: its answers in progress, too, which outlive it. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "access/key_ring.h"
#include "access/member_access.h"
#include "engine/completion_service.h"
#include "server/api_server.h"
#include "server/drain.h"
#include "server/grammar_cache.h"
#include "server/live_answers.h"
#include "server/metrics.h"

namespace switchyard::server {

struct ServerState {
  ServerState(ApiServerOptions chosen, engine::CompletionService& engine, const TextModel& model)
      : options(std::move(chosen)),
        keys(options.keys),
        member(options.member_keys),
        service(engine),
        text(model) {}

  const ApiServerOptions options;
  access::KeyRing keys;
  access::MemberAccess member;
  engine::CompletionService& service;
  const TextModel& text;
  Metrics metrics;
  GrammarCache grammars;
  std::int64_t started = 0;  // seconds since 1970
  Drain drain;
  std::atomic<std::int64_t> in_flight = 0;
  LiveAnswers live;
};

}  // namespace switchyard::server
