#include "gateway/fleet.h"

#include <algorithm>
#include <utility>

#include "gateway/internal/clock_text.h"
#include "gateway/member_record.h"
#include "policy/route_filters.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;

// "maker=x", "chip=x" and so on, or a member's name.
bool IsMeant(std::string_view what, const MemberConfig& member) {
  const std::size_t equal = what.find('=');
  if (equal == std::string_view::npos) return what == member.name;
  const std::string_view key = what.substr(0, equal);
  const std::string_view value = what.substr(equal + 1);
  if (policy::IsPlaceKey(key)) return value == policy::SideOf(member.place, key);
  return what == member.name;  // a name may hold '='
}

bool IsMeantByAny(const std::vector<std::string>& orders, const MemberConfig& member) {
  return std::ranges::any_of(orders,
                             [&](const std::string& what) { return IsMeant(what, member); });
}

policy::CertificateState CertificateOf(const Member& member, const ModelState& model) {
  return member.config->is_vouched_for ? policy::CertificateState::kInForce : model.certificate;
}

// A model that the fleet lists under one of the names that the member has for it.
std::string FleetNameOf(const ModelState& model, const FleetConfig& fleet) {
  for (const std::string& alias : model.aliases) {
    if (fleet.FindModel(alias) != nullptr) return alias;
  }
  return std::string(fleet.Canonical(model.upstream));
}

// What its configuration says of models stands in for what it does not say itself.
std::vector<ModelState> ModelsOf(const MemberConfig& config, std::vector<ModelState> told,
                                 const FleetConfig& fleet) {
  if (config.models.empty()) {
    for (ModelState& model : told) model.name = FleetNameOf(model, fleet);
    return told;
  }
  std::vector<ModelState> models;
  for (const ServedModel& served : config.models) {
    ModelState state;
    const auto same = std::ranges::find_if(
        told, [&](const ModelState& model) { return model.IsCalled(served.upstream); });
    if (same != told.end()) state = *same;
    state.name = served.name;
    state.upstream = served.upstream;
    if (served.context_tokens > 0) state.context_tokens = served.context_tokens;
    models.push_back(std::move(state));
  }
  return models;
}

// What has first tokens of its own: a model's streams, and its whole answers.
std::string HedgedAs(const FleetConfig& config, std::string_view model, bool as_stream) {
  return fmt::format("{} {}", config.Canonical(model), as_stream ? "streamed" : "whole");
}

constexpr std::size_t kPrefixes = 200'000;  // beginnings that are remembered

// As long as the fleet remembers it, what is under this number is the same server.
std::uint64_t IdOf(const Member& member) {
  return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(member.record.get()));
}

Member MakeMember(MemberConfig config, const FleetConfig& fleet) {
  auto state = std::make_shared<MemberState>();
  if (config.kind == MemberKind::kSwitchyard) state->abilities = kOurAbilities;
  state->models = ModelsOf(config, {}, fleet);
  return {std::make_shared<const MemberConfig>(std::move(config)), std::move(state),
          std::make_shared<MemberRecord>(fleet.breaker)};
}

}  // namespace

Fleet::Fleet(FleetConfig config, OnChange on_change)
    : on_change_(std::move(on_change)),
      prefixes_(kPrefixes),
      budget_(config.retry.budget, MemberRecord::Now()),
      hedge_(config.hedge, MemberRecord::Now()) {
  Configure(std::move(config));
}

std::shared_ptr<const FleetView> Fleet::snapshot() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

Routed Fleet::Route(policy::RouteRequest request) const {
  Routed routed;
  routed.view = snapshot();
  const FleetConfig& config = *routed.view->config;
  request.model = config.Canonical(request.model);
  request.now_s = MemberRecord::Now();
  if (const ModelConfig* model = config.FindModel(request.model)) {
    request.wanted_ttft_ms = model->ttft_ms;
    request.wanted_itl_ms = model->itl_ms;
  }
  routed.candidates.reserve(routed.view->members.size());
  for (const Member& member : routed.view->members) {
    routed.candidates.push_back(Candidate(member, request));
  }
  const auto prefixes = FindPrefixes(routed, request);
  routed.decision = policy::Route(request, routed.candidates, config.policy);
  if (!prefixes.empty() && routed.size() > 0) {
    const std::lock_guard lock(prefix_mutex_);
    prefixes_.Insert(prefixes, IdOf(routed.member(0)), request.now_s);
  }
  return routed;
}

// Sets what each candidate has probably cached; the digests of the request's beginnings.
std::vector<std::uint64_t> Fleet::FindPrefixes(Routed& routed,
                                               const policy::RouteRequest& request) const {
  if (!routed.view->config->policy.keeps_prefixes || routed.candidates.size() < 2) return {};
  auto digests = policy::PrefixDigests(request.prefix_text);
  if (digests.empty()) return digests;
  const double tokens_per_step = static_cast<double>(request.prompt_tokens) * policy::kPrefixStep /
                                 static_cast<double>(request.prefix_text.size());
  std::vector<std::uint64_t> members;
  members.reserve(routed.view->members.size());
  for (const Member& member : routed.view->members) members.push_back(IdOf(member));
  const std::lock_guard lock(prefix_mutex_);
  const auto cached = prefixes_.Find(digests, members, request.now_s);
  for (std::size_t i = 0; i < cached.size(); ++i) {
    const double all = static_cast<double>(cached[i].all);
    policy::RouteCandidate& candidate = routed.candidates[i];
    candidate.cached_tokens = static_cast<std::int64_t>(all * tokens_per_step);
    candidate.shared_tokens = static_cast<std::int64_t>((all - cached[i].own) * tokens_per_step);
  }
  return digests;
}

policy::RouteCandidate Fleet::Candidate(const Member& member, const policy::RouteRequest& request) {
  const MemberState& state = *member.state;
  policy::RouteCandidate candidate{.member = member.config->name, .place = &member.config->place};
  if (const ModelState* model = member.Model(request.model)) {
    candidate.serves_model = true;
    candidate.context_tokens = model->context_tokens;
    candidate.certificate = CertificateOf(member, *model);
  }
  candidate.is_unheard = state.models.empty() && !state.is_heard_of;
  candidate.is_forbidden = member.is_forbidden;
  candidate.export_rule = member.export_rule;
  candidate.capacity = member.config->capacity;
  if (state.is_lost) {
    candidate.reach = policy::Reach::kLost;
  } else if (state.is_draining || member.is_draining) {
    candidate.reach = policy::Reach::kDraining;
  } else if (!state.is_heard_of) {
    candidate.reach = policy::Reach::kUnknown;
  }
  candidate.load = state.load;
  member.record->Describe(candidate, request.now_s);
  return candidate;
}

std::vector<Finding> Fleet::Findings(const Routed& routed) {
  constexpr std::size_t kMost = 64;
  const policy::RouteDecision& decision = routed.decision;
  std::vector<Finding> findings;
  findings.reserve(std::min(kMost, routed.candidates.size()));
  const auto add = [&](std::size_t i) {
    const policy::RouteVerdict& verdict = decision.verdicts[i];
    findings.push_back({routed.view->members[i].config, verdict.code,
                        std::string(verdict.subject), verdict.score_s});
  };
  for (std::size_t i = 0; i < decision.ranked.size() && findings.size() < kMost; ++i) {
    add(decision.ranked[i]);
  }
  for (std::size_t i = 0; i < routed.candidates.size() && findings.size() < kMost; ++i) {
    if (decision.verdicts[i].code != policy::RouteCode::kFits) add(i);
  }
  return findings;
}

std::vector<std::string> Fleet::Explain(std::string_view model,
                                        const std::vector<Finding>& findings) {
  std::vector<std::string> lines;
  for (const Finding& finding : findings) {
    lines.push_back(policy::Why({.code = finding.code, .subject = finding.subject},
                                {.model = model}, {.member = finding.member->name}));
    if (finding.code != policy::RouteCode::kFits) continue;
    lines.back() += fmt::format(", as number {} at {:.3f} s", lines.size(), finding.score_s);
  }
  return lines;
}

policy::RouteVerdict Fleet::Judge(const FleetView& view, const Member& member,
                                  policy::RouteRequest request) {
  request.model = view.config->Canonical(request.model);
  request.now_s = MemberRecord::Now();
  return policy::Filter(request, Candidate(member, request), view.config->policy);
}

Attempt Fleet::Begin(const Member& member, std::int64_t prompt_tokens,
                     std::int64_t cached_tokens) {
  return {member.record, prompt_tokens, cached_tokens};
}

void Fleet::CountRequest() {
  const std::lock_guard lock(budget_mutex_);
  const double now_s = MemberRecord::Now();
  budget_.Request(now_s);
  hedge_.Request(now_s);
}

bool Fleet::MayRetry() {
  const std::lock_guard lock(budget_mutex_);
  return budget_.Retry(MemberRecord::Now());
}

std::optional<std::chrono::milliseconds> Fleet::HedgeDelay(std::string_view model,
                                                           bool as_stream) const {
  const auto view = snapshot();
  const std::lock_guard lock(budget_mutex_);
  const auto ms = hedge_.DelayMs(HedgedAs(*view->config, model, as_stream));
  if (!ms) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(
      std::chrono::duration<double, std::milli>(*ms));
}

bool Fleet::MayHedge() {
  const std::lock_guard lock(budget_mutex_);
  return hedge_.Hedge(MemberRecord::Now());
}

void Fleet::SawFirstToken(std::string_view model, bool as_stream,
                          std::chrono::steady_clock::duration time) {
  const auto view = snapshot();
  const std::lock_guard lock(budget_mutex_);
  hedge_.FirstToken(HedgedAs(*view->config, model, as_stream),
                    std::chrono::duration<double, std::milli>(time).count());
}

void Fleet::Publish(std::shared_ptr<const FleetConfig> config, std::vector<Member> members) {
  const policy::Date today = Today();
  const bool is_new = today != exports_day_ || view_ == nullptr || view_->config != config;
  exports_day_ = today;
  for (Member& member : members) {
    const Member* known = is_new ? nullptr : view_->Find(member.name());
    if (known == nullptr || known->config != member.config) {
      member.export_rule = config->exports == nullptr
                               ? std::string()
                               : RuleAgainst(*config->exports, member.config->place, today);
    }
    member.is_draining = IsMeantByAny(orders_.draining, *member.config);
    member.is_forbidden = IsMeantByAny(orders_.forbidden, *member.config);
  }
  auto view = std::make_shared<FleetView>();
  view->config = std::move(config);
  view->members = std::move(members);
  view_ = std::move(view);
}

void Fleet::Configure(FleetConfig config, std::string actor) {
  {
    const std::lock_guard lock(budget_mutex_);
    budget_.SetLimits(config.retry.budget);
    hedge_.SetLimits(config.hedge);
  }
  const std::lock_guard lock(mutex_);
  std::vector<Member> members;
  for (const MemberConfig& listed : config.members) {
    const Member* known = view_ == nullptr ? nullptr : view_->Find(listed.name);
    Member member = MakeMember(listed, config);
    // What was seen of another server says nothing.
    if (known != nullptr && known->config->url == listed.url &&
        known->config->kind == listed.kind) {
      member.record = known->record;
      member.record->SetLimits(config.breaker);
      auto state = std::make_shared<MemberState>(*known->state);
      state->models = ModelsOf(listed, std::move(state->models), config);
      member.state = std::move(state);
    }
    members.push_back(std::move(member));
  }
  if (view_ != nullptr) {
    for (const Member& member : view_->members) {
      const bool is_listed = std::ranges::find(config.members, member.name(),
                                               &MemberConfig::name) != config.members.end();
      if (!member.config->is_leased || is_listed) continue;
      member.record->SetLimits(config.breaker);
      members.push_back(member);
    }
  }
  FleetChange change{.actor = std::move(actor),
                     .action = "configure",
                     .detail = fmt::format("{} members listed", config.members.size())};
  Publish(std::make_shared<const FleetConfig>(std::move(config)), std::move(members));
  Tell(std::move(change));
}

base::Status Fleet::Join(MemberConfig joined, std::string actor) {
  SWITCHYARD_RETURN_IF_ERROR(CheckMember(joined));
  joined.is_leased = true;
  FleetChange change{
      .actor = std::move(actor), .action = "join", .subject = joined.name, .detail = joined.url};
  const std::lock_guard lock(mutex_);
  std::vector<Member> members = view_->members;
  const auto known = std::ranges::find_if(
      members, [&](const Member& member) { return member.name() == joined.name; });
  if (known == members.end()) {
    members.push_back(MakeMember(std::move(joined), *view_->config));
  } else if (!known->config->is_leased) {
    return Fail(ErrorCode::kAlreadyExists,
                "the member '{}' is listed in the gateway's configuration; register under another "
                "name",
                joined.name);
  } else if (*known->config == joined) {
    return {};  // as it is
  } else {
    *known = MakeMember(std::move(joined), *view_->config);
  }
  Publish(view_->config, std::move(members));
  Tell(std::move(change));
  return {};
}

void Fleet::Leave(std::string_view name, std::string actor) {
  const std::lock_guard lock(mutex_);
  std::vector<Member> members = view_->members;
  const auto gone = std::erase_if(members, [&](const Member& member) {
    return member.config->is_leased && member.name() == name;
  });
  if (gone == 0) return;
  Publish(view_->config, std::move(members));
  Tell({.actor = std::move(actor), .action = "leave", .subject = std::string(name)});
}

bool Fleet::Update(std::string_view name, MemberState state) {
  const std::lock_guard lock(mutex_);
  std::vector<Member> members = view_->members;
  const auto member =
      std::ranges::find_if(members, [&](const Member& known) { return known.name() == name; });
  if (member == members.end()) return false;
  const bool was_lost = member->state->is_lost;
  if (was_lost && !state.is_lost) member->record->Recovered();
  if (was_lost != state.is_lost) {
    Tell({.actor = "gateway",
          .action = state.is_lost ? "lost" : "found",
          .subject = std::string(name),
          .detail = state.trouble});
  }
  state.models = ModelsOf(*member->config, std::move(state.models), *view_->config);
  member->state = std::make_shared<const MemberState>(std::move(state));
  Publish(view_->config, std::move(members));
  return true;
}

FleetOrder Fleet::Obey(FleetOrder order, std::function<void(const base::Status&)> on_written) {
  const std::lock_guard lock(mutex_);
  if (Follow(order)) TellOf(order, std::move(on_written));
  return order;
}

void Fleet::Restore(FleetOrder order) {
  const std::lock_guard lock(mutex_);
  if (Follow(order) && order.holds) TellOf(order, {});
}

void Fleet::BeginDrill(const std::string& what, const std::string& actor) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(orders_.draining, what) == orders_.draining.end()) {
    drilled_.insert(what);
    orders_.draining.push_back(what);
    Publish(view_->config, view_->members);
  }
  Tell({.actor = actor + " (drill)", .action = "drain", .subject = what});
}

void Fleet::EndDrill(const std::string& what, const std::string& actor) {
  const std::lock_guard lock(mutex_);
  if (drilled_.erase(what) == 0) return;
  std::erase(orders_.draining, what);
  Publish(view_->config, view_->members);
  Tell({.actor = actor + " (drill)", .action = "undrain", .subject = what});
}

// False: a later word is known.
bool Fleet::Follow(FleetOrder& order) {
  FleetOrder& last = words_[{order.kind, order.what}];
  if (order.given == OrderTime{}) {
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
    order.given = std::max(now, last.given + std::chrono::microseconds(1));
  } else if (order.given < last.given) {
    return false;
  }
  last = order;
  const bool drains = order.kind == OrderKind::kDrain;
  if (drains) drilled_.erase(order.what);
  std::vector<std::string>& list = drains ? orders_.draining : orders_.forbidden;
  std::erase(list, order.what);
  if (order.holds) list.push_back(order.what);
  Publish(view_->config, view_->members);
  return true;
}

void Fleet::TellOf(const FleetOrder& order,
                   std::function<void(const base::Status&)> on_written) const {
  const bool drains = order.kind == OrderKind::kDrain;
  Tell({.actor = order.actor,
        .action = drains ? (order.holds ? "drain" : "undrain") : (order.holds ? "forbid" : "allow"),
        .subject = order.what,
        .detail = "given " + internal::UtcText(order.given),
        .on_written = std::move(on_written)});
}

std::vector<FleetOrder> Fleet::words() const {
  const std::lock_guard lock(mutex_);
  std::vector<FleetOrder> words;
  for (const auto& [key, word] : words_) words.push_back(word);
  return words;
}

std::vector<std::string> Fleet::Meant(std::string_view what) const {
  std::vector<std::string> names;
  for (const Member& member : snapshot()->members) {
    if (IsMeant(what, *member.config)) names.push_back(member.name());
  }
  return names;
}

void Fleet::EjectOutliers() {
  const auto view = snapshot();
  const double now_s = MemberRecord::Now();
  using PaceOf = policy::Pace (MemberRecord::*)(double) const;
  for (const std::string& model : view->Models()) {
    std::vector<const Member*> peers;
    for (const Member& member : view->members) {
      if (member.Model(model) != nullptr) peers.push_back(&member);
    }
    for (const PaceOf pace_of : {&MemberRecord::FirstTokenPace, &MemberRecord::TokenPace}) {
      std::vector<policy::Pace> paces;
      for (const Member* peer : peers) paces.push_back(((*peer->record).*pace_of)(now_s));
      const auto found = policy::FindOutliers(paces, view->config->outlier);
      for (std::size_t i = 0; i < peers.size(); ++i) {
        if (!found[i]) continue;
        peers[i]->record->Eject(now_s);
        const std::lock_guard lock(mutex_);
        Tell({.actor = "gateway",
              .action = "eject",
              .subject = peers[i]->name(),
              .detail = fmt::format("{:.0f} ms of late, usually {:.0f}", paces[i].recent_ms,
                                    paces[i].usual_ms)});
      }
    }
  }
}

std::size_t Fleet::Cut(std::string_view what) {
  std::size_t cut = 0;
  for (const Member& member : snapshot()->members) {
    if (IsMeant(what, *member.config)) cut += member.record->Cut();
  }
  return cut;
}

void Fleet::Tell(FleetChange change) const {
  if (on_change_) on_change_(std::move(change));
}

Fleet::Orders Fleet::orders() const {
  const std::lock_guard lock(mutex_);
  return orders_;
}

}  // namespace switchyard::gateway
