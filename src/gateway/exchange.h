// One request of a client that members answer: asks one, passes on what it says, and when that one
// fails asks another to go on, until the answer is whole or nobody can. On one loop's thread; it
// lives as long as its client or its member may still be heard of.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "access/key_ring.h"
#include "base/log.h"
#include "gateway/answer_ledger.h"
#include "gateway/asked_member.h"
#include "gateway/client_request.h"
#include "gateway/decision_log.h"
#include "gateway/felt_log.h"
#include "gateway/fleet.h"
#include "gateway/gateway_metrics.h"
#include "gateway/hand_over.h"
#include "gateway/hedge.h"
#include "gateway/member_links.h"
#include "gateway/member_request.h"
#include "gateway/route_wishes.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/sse_reader.h"

namespace switchyard::gateway {

class Exchange;

// What the exchanges of one loop share; it outlives them.
struct ExchangeContext {
  net::EventLoop& loop;
  Fleet& fleet;
  GatewayMetrics& metrics;
  base::LogSink log;       // null: nothing is logged
  DecisionLog* decisions;  // null: nobody asks why
  FeltLog* felt;           // null: nobody asks how it was
  MemberLinks links;
  std::vector<Exchange*> live = {};
};

class Exchange final : public HedgeOwner, public std::enable_shared_from_this<Exchange> {
 public:
  static void Begin(ExchangeContext& context, std::shared_ptr<const ClientRequest> request,
                    access::KeyUse key, std::shared_ptr<net::HttpResponder> responder);
  Exchange(ExchangeContext& context, std::shared_ptr<const ClientRequest> request,
           access::KeyUse key, std::shared_ptr<net::HttpResponder> responder);
  ~Exchange() override;

  // The fleet has changed: an answer whose member may no longer be used, or is lost, moves.
  void OnFleet(const FleetView& view);

  // Of the call at hand.
  void OnHead(net::CallHead head) override;
  void OnBody(std::string_view piece) override;
  void OnEnd() override;
  void OnFailure(net::CallFailure failure) override;
  // Of the one beside it.
  void OnHedgeToken() override;
  void OnHedgeFailed(internal::MemberVerdict verdict) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Failure {
    std::string member;
    FailureCause cause;
    std::string why;
    bool IsSilence() const;
    // Waiting would not help, since it answers others: it is never asked for this again.
    bool IsFinal() const;
  };
  // What a member said instead of an answer, for the client if there is nothing better.
  struct Refusal {
    net::CallHead head;
    std::string body;
  };

  // A member that can be asked, and how; its views are those of a choice.
  struct Offer {
    const Member& member;
    const ModelState& model;
    MemberLink link;
    std::int64_t cached_tokens = 0;
    AskPlan plan;
  };

  // Who is asked.
  // `resumption` is filled for it, and is to live as long.
  policy::RouteRequest Wanted(policy::Resumption& resumption) const;
  Routed Route(std::string_view occasion);
  void Choose();
  bool MayNoLongerRun(const FleetView& view, const Member& member, AskedMember& asked);
  std::string Occasion() const;
  std::optional<Offer> Look(const Routed& routed, std::size_t rank, HandOverLevel level);
  void Ask(const Offer& offer);
  void BeginAnew();
  AskedMember Prepare(const Offer& offer);
  void Send(const Offer& offer, AskedMember& asked, std::shared_ptr<net::CallListener> listener);
  void Await();
  void TellMove(const Offer& offer);
  void TryAgainLater(std::chrono::milliseconds hint, bool others_may_recover);
  // Who is asked beside it.
  void PlanHedge();
  std::optional<Offer> LookBeside(const Routed& routed);
  void AskBeside();
  void HearFirstToken();
  void TakeHedge();
  void EndHedge(HedgeEnd end);
  void WatchHedge(const FleetView& view);
  // What came.
  bool OnEvent(const net::SseEvent& event);
  void OnWholeBody();
  void OnStatus();
  void Refused(Refusal refusal);
  void OnToken();
  void OnErrorInStream();
  void Failed(FailureCause cause, std::string why, std::chrono::milliseconds retry_after = {});
  // What the client gets.
  void Flush();
  void BeginStream();
  void Complete();
  void CompleteByLength();  // the member that failed had only its finish_reason left to say
  void EndWhole();
  void CompleteAsItCame();
  std::int64_t CompletionTokens() const;
  void GiveUp();
  void RefuseByPolicy(const policy::RouteRefusal& refusal);
  void EndWith(const protocol::ApiError& error);
  void Respond(const protocol::ApiError& error, double retry_after_s = 0);
  void PassOn(const Refusal& refusal);
  net::HttpHeaders Headers() const;
  // Time.
  // The member that answers now has said one; who was asked before it does not count.
  bool has_token() const { return last_token_.has_value(); }
  // When it said its last token; before its first, when it was asked.
  Clock::time_point last_heard() const { return last_token_.value_or(asked_.at); }
  void Watch();
  void OnTime();
  void OnCut(int number);
  void OnGone();
  void Close(int status, std::string_view error);
  void Feel(int status) const;

  ExchangeContext& context_;
  std::shared_ptr<const ClientRequest> request_;   // with calls to members
  std::shared_ptr<net::HttpResponder> responder_;  // with the connection
  access::KeyUse key_;
  const RouteWishes wishes_;
  std::size_t place_;                          // among those that are live
  std::uint64_t decisions_ = 0;                // its number in their log
  std::unique_ptr<AnswerLedger> ledger_;       // never null
  std::shared_ptr<const FleetConfig> config_;  // of the last choice; with the fleet
  std::unique_ptr<net::LoopTimer> timer_;

  // The member that answers now.
  AskedMember asked_;
  net::CallHead head_;
  std::string body_;                        // of an answer that is no stream
  std::unique_ptr<net::SseReader> events_;  // of one that is
  bool is_done_ = false;                    // [DONE] has come

  // The one that is asked beside it.
  std::shared_ptr<Hedge> hedge_;  // with its call; null: none
  std::optional<Clock::time_point> hedge_due_;
  std::vector<Failure> hedge_failures_;  // while the first went on
  std::string hedge_told_;               // in the header

  // What went before.
  std::shared_ptr<const MemberConfig> origin_;  // that gave the last token
  std::vector<Failure> failures_;
  std::vector<Failure> earlier_;  // of the round before, of those that are asked again
  std::optional<Refusal> refusal_;
  bool is_served_ = false;                      // one of those that failed has the endpoint
  std::int64_t too_short_tokens_ = 0;           // the largest context that refused the prompt
  std::set<std::string> refuses_continuation_;  // members that said 400 to it
  std::vector<std::string> ran_on_;             // members that gave tokens, in their order
  std::string moves_;                           // told in the header
  int attempts_ = 0;
  int rounds_ = 0;                               // of trying again those that failed
  std::string out_;                              // events for the client
  std::optional<Clock::time_point> last_token_;  // of who is asked now; none: nothing yet
  Clock::time_point reached_;                    // the member, by whoever watches it
  std::optional<Clock::time_point> failed_;      // since then nobody answers; none: nobody failed
  std::optional<double> first_token_s_;
  std::optional<Clock::time_point> given_;  // the last token to the client, whoever made it
  Clock::duration longest_gap_{};           // between two
  std::optional<std::int64_t> whole_tokens_;  // that a member's whole answer says it has
  std::int32_t move_count_ = 0;
  bool is_streaming_ = false;
  bool is_over_ = false;
};

}  // namespace switchyard::gateway
