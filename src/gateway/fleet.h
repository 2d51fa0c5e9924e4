// The members of a fleet as they are now, and which of them gets a request. One object for the
// whole gateway; any thread.
//
// Who serves a request asks Route, begins an Attempt at the member it chose, and tells the attempt
// what became of it; breakers, loads and latencies follow from that. What members themselves say
// comes in through Update, from whoever watches them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/attempt.h"
#include "gateway/fleet_config.h"
#include "gateway/fleet_view.h"
#include "gateway/member_state.h"
#include "policy/hedge.h"
#include "policy/prefix_index.h"
#include "policy/retry_budget.h"
#include "policy/routing.h"

namespace switchyard::gateway {

struct Routed {
  std::shared_ptr<const FleetView> view;           // with the fleet; what the rest speaks of
  std::vector<policy::RouteCandidate> candidates;  // in the order of the view's members
  policy::RouteDecision decision;

  // The members to ask, best first.
  std::size_t size() const { return decision.ranked.size(); }
  const Member& member(std::size_t rank) const { return view->members[decision.ranked[rank]]; }
  const policy::RouteCandidate& candidate(std::size_t rank) const {
    return candidates[decision.ranked[rank]];
  }
};

// Why a member gets a request or does not. Kept for who asks later, so that nobody makes sentences
// of it before.
struct Finding {
  std::shared_ptr<const MemberConfig> member;  // with the fleet
  policy::RouteCode code = policy::RouteCode::kFits;
  std::string subject;
  double score_s = 0;
};

// What was changed, for the audit log.
struct FleetChange {
  std::string actor = {};    // "operator/NAME", "member/NAME", "gateway"
  std::string action = {};   // join, leave, lost, found, drain, undrain, forbid, allow, configure
  std::string subject = {};  // a member's name, or what else was meant
  std::string detail = {};
  // Told, on any thread, whether the log has it; none: nobody waits for that.
  std::function<void(const base::Status&)> on_written = {};
};

enum class OrderKind : std::uint8_t { kDrain, kForbid };
using OrderTime = std::chrono::sys_time<std::chrono::microseconds>;

// An operator's word. Of two words on one thing the later one counts, wherever each was given.
struct FleetOrder {
  OrderKind kind = OrderKind::kDrain;
  // A member's name, or "maker=…", "chip=…", "region=…", "jurisdiction=…", "owner=…".
  std::string what = {};
  bool holds = true;  // false: what was ordered before is taken back
  std::string actor = {};
  OrderTime given = {};  // the epoch: now
};

class Fleet {
 public:
  // Called in the order of the changes, with the fleet locked: it must not block nor call the
  // fleet.
  using OnChange = std::function<void(FleetChange)>;
  explicit Fleet(FleetConfig config, OnChange on_change = {});

  std::shared_ptr<const FleetView> snapshot() const;

  // `request.model` may be an alias; the time is set here.
  Routed Route(policy::RouteRequest request) const;
  // What was found of each member, the chosen first; of many members not all.
  static std::vector<Finding> Findings(const Routed& routed);
  // Why each member was or was not chosen, a line each.
  static std::vector<std::string> Explain(std::string_view model,
                                          const std::vector<Finding>& findings);

  // What Route would say of one member now; its load does not matter.
  static policy::RouteVerdict Judge(const FleetView& view, const Member& member,
                                    policy::RouteRequest request);

  // Begins at `member`, with about so many tokens, some of them cached there.
  Attempt Begin(const Member& member, std::int64_t prompt_tokens, std::int64_t cached_tokens = 0);

  // A request came; may one be sent again?
  void CountRequest();
  bool MayRetry();
  // When a second member is asked beside one that has not said a first token; nullopt: not at all.
  // Whole answers come later than first tokens and are judged apart.
  std::optional<std::chrono::milliseconds> HedgeDelay(std::string_view model, bool as_stream) const;
  bool MayHedge();
  // How long a first token took, or had not come.
  void SawFirstToken(std::string_view model, bool as_stream,
                     std::chrono::steady_clock::duration time);

  // Takes another configuration: members that stay keep what is known of them.
  void Configure(FleetConfig config, std::string actor = "gateway");
  // A member registered itself, or is gone; listed ones can be neither.
  base::Status Join(MemberConfig member, std::string actor);
  void Leave(std::string_view name, std::string actor);
  // What a member says of itself, or that it says nothing. False: there is no such member any more.
  bool Update(std::string_view name, MemberState state);

  // Keeps members away that have become slow; from time to time.
  void EjectOutliers();

  // Kept over Configure. An order that is given now is later than every word that was known on
  // that, whatever the clocks say; an older word than the last changes nothing. Returns the order
  // with its time. `on_written` as in FleetChange.
  FleetOrder Obey(FleetOrder order, std::function<void(const base::Status&)> on_written = {});
  // A word from before the start; one that takes back is only remembered.
  void Restore(FleetOrder order);
  // The last word on each thing.
  std::vector<FleetOrder> words() const;
  // A drill drains as an order does, until it ends or an operator says something on that; what an
  // operator drained stays.
  void BeginDrill(const std::string& what, const std::string& actor);
  void EndDrill(const std::string& what, const std::string& actor);
  // Cuts off what runs there; how many answers that was.
  std::size_t Cut(std::string_view what);
  // Who is meant by that, by their names.
  std::vector<std::string> Meant(std::string_view what) const;
  struct Orders {
    std::vector<std::string> draining;
    std::vector<std::string> forbidden;
  };
  Orders orders() const;

 private:
  static policy::RouteCandidate Candidate(const Member& member,
                                          const policy::RouteRequest& request);
  // With `mutex_` held.
  void Publish(std::shared_ptr<const FleetConfig> config, std::vector<Member> members);
  void Tell(FleetChange change) const;
  bool Follow(FleetOrder& order);
  void TellOf(const FleetOrder& order, std::function<void(const base::Status&)> on_written) const;

  const OnChange on_change_;
  std::vector<std::uint64_t> FindPrefixes(Routed& routed,
                                          const policy::RouteRequest& request) const;

  mutable std::mutex prefix_mutex_;
  mutable policy::PrefixIndex prefixes_;  // guarded by `prefix_mutex_`
  mutable std::mutex mutex_;
  std::shared_ptr<const FleetView> view_;  // with who looks at it; guarded by `mutex_`
  policy::Date exports_day_{};             // of the rules that members were held against; likewise
  // Guarded by `mutex_`.
  Orders orders_;
  std::map<std::pair<OrderKind, std::string>, FleetOrder> words_;
  std::set<std::string> drilled_;  // of those that drain, whom no operator's word drains
  mutable std::mutex budget_mutex_;
  policy::RetryBudget budget_;  // guarded by `budget_mutex_`
  policy::HedgePolicy hedge_;   // likewise
};

}  // namespace switchyard::gateway
