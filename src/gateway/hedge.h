// A second member, asked beside one that is slow to say its first token. What it says is kept until
// either has said one; then it ends, or takes the first one's place and is listened to as that was.
// On one loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/answer_ledger.h"
#include "gateway/asked_member.h"
#include "gateway/internal/member_verdict.h"
#include "net/http_client.h"
#include "net/sse_reader.h"

namespace switchyard::gateway {

// Who has asked for the hedge; it hears the rest of the answer once it has taken it over.
class HedgeOwner : public net::CallListener {
 public:
  // The second member was first.
  virtual void OnHedgeToken() = 0;
  // It cannot answer; the hedge is over.
  virtual void OnHedgeFailed(internal::MemberVerdict verdict) = 0;
};

class Hedge final : public net::CallListener, public std::enable_shared_from_this<Hedge> {
 public:
  // `ledger`: nothing of the answer was given yet. The call that listens to this comes into
  // `asked`.
  Hedge(std::shared_ptr<HedgeOwner> owner, AskedMember asked, AnswerLedger ledger);

  AskedMember& asked() { return asked_; }
  // The owner hears what was kept, and from now on all.
  void TakeOver();

  void OnHead(net::CallHead head) override;
  void OnBody(std::string_view piece) override;
  void OnEnd() override;
  void OnFailure(net::CallFailure failure) override;

 private:
  enum class Said : std::uint8_t { kNothing, kToken, kError, kNonsense };
  Said Listen(std::string_view piece);

  const std::shared_ptr<HedgeOwner> owner_;  // with its call, if there is one, and its client
  AskedMember asked_;
  AnswerLedger ledger_;  // of what is kept
  std::optional<net::SseReader> events_;
  std::optional<net::CallHead> head_;
  std::string kept_;
  bool is_taken_over_ = false;
};

}  // namespace switchyard::gateway
