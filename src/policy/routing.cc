#include "policy/routing.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/route_filters.h"
#include "policy/route_headroom.h"
#include "policy/route_score.h"

namespace switchyard::policy {
namespace {

struct CodeText {
  std::string_view name;
  std::string_view why;  // {0}: the member, {1}: the subject, {2}: the model
};

CodeText TextOf(RouteCode code) {
  switch (code) {
    case RouteCode::kFits:
      return {"fits", "{0} can run it"};
    case RouteCode::kOtherModel:
      return {"model_not_found", "{0} does not serve '{2}'"};
    case RouteCode::kContext:
      return {"context_length_exceeded", "the prompt does not fit the context of {0}"};
    case RouteCode::kForbidden:
      return {"policy_forbidden", "an operator has forbidden {0}"};
    case RouteCode::kRegion:
      return {"policy_region", "{0} is in the region '{1}', where this request may not run"};
    case RouteCode::kResidency:
      return {"policy_residency", "data tagged '{1}' may not go to {0}"};
    case RouteCode::kOwner:
      return {"policy_owner", "{0} is {1}, and this request may not run on such machines"};
    case RouteCode::kExport:
      return {"policy_export", "the rule '{1}' stands against {0}"};
    case RouteCode::kCertificate:
      return {"policy_certificate", "{0} has no certificate in force for '{2}' on the chip '{1}'"};
    case RouteCode::kStock:
      return {"policy_stock", "the hours a day that '{1}' may have for this are spent, at {0}"};
    case RouteCode::kTried:
      return {"tried", "{0} has failed this request before"};
    case RouteCode::kUnheard:
      return {"unheard", "{0} has not said yet which models it serves"};
    case RouteCode::kLost:
      return {"lost", "{0} does not answer"};
    case RouteCode::kDraining:
      return {"draining", "{0} is being drained"};
    case RouteCode::kBroken:
      return {"breaker_open", "{0} has failed often of late"};
    case RouteCode::kBusy:
      return {"busy", "{0} has asked for some rest"};
    case RouteCode::kHeadroom:
      return {"headroom", "what {0} has free is kept for the loss of any one {1}"};
  }
  return {"unknown", "unknown"};
}

// The first verdict that `is_wanted` holds for.
template <typename Predicate>
const RouteVerdict* FindVerdict(std::span<const RouteVerdict> verdicts, Predicate is_wanted) {
  const auto found = std::ranges::find_if(verdicts, is_wanted);
  return found == verdicts.end() ? nullptr : &*found;
}

RouteRefusal RefusalOf(const RouteRequest& request, std::span<const RouteCandidate> candidates,
                       std::span<const RouteVerdict> verdicts) {
  const auto sentence = [&](const RouteVerdict& verdict) {
    return Why(verdict, request, candidates[static_cast<std::size_t>(&verdict - verdicts.data())]);
  };
  // Somebody may run it, and cannot now.
  const auto* absent = FindVerdict(
      verdicts, [](const RouteVerdict& verdict) { return verdict.code >= RouteCode::kTried; });
  if (absent != nullptr) {
    RouteRefusal refusal{RefusalKind::kUnavailable, "no_member_available",
                         fmt::format("No member can take a request for '{}' now: {}.",
                                     request.model, sentence(*absent)),
                         0};
    for (std::size_t i = 0; i < verdicts.size(); ++i) {
      if (verdicts[i].code < RouteCode::kTried || candidates[i].wait_s <= 0) continue;
      const double wait = candidates[i].wait_s;
      refusal.retry_after_s =
          refusal.retry_after_s > 0 ? std::min(refusal.retry_after_s, wait) : wait;
    }
    if (refusal.retry_after_s == 0) refusal.retry_after_s = 1;
    return refusal;
  }
  if (const auto* forbidden = FindVerdict(
          verdicts, [](const RouteVerdict& verdict) { return IsPolicy(verdict.code); })) {
    return {RefusalKind::kPolicy, std::string(CodeName(forbidden->code)),
            fmt::format("Policy does not let this request run anywhere: {}.", sentence(*forbidden)),
            0};
  }
  if (FindVerdict(verdicts, [](const RouteVerdict& verdict) {
        return verdict.code == RouteCode::kContext;
      }) != nullptr) {
    return {RefusalKind::kTooLong, std::string(CodeName(RouteCode::kContext)),
            fmt::format("The prompt is longer than the context of any member that serves '{}'.",
                        request.model),
            0};
  }
  return {RefusalKind::kNoSuchModel, std::string(CodeName(RouteCode::kOtherModel)),
          fmt::format("No member serves the model '{}'.", request.model), 0};
}

}  // namespace

std::string_view CodeName(RouteCode code) { return TextOf(code).name; }

bool IsPolicy(RouteCode code) { return code >= RouteCode::kForbidden && code <= RouteCode::kStock; }

RouteDecision Route(const RouteRequest& request, std::span<const RouteCandidate> candidates,
                    const RoutePolicy& policy) {
  RouteDecision decision;
  decision.verdicts.reserve(candidates.size());
  for (const RouteCandidate& candidate : candidates) {
    decision.verdicts.push_back(Filter(request, candidate, policy));
  }
  KeepHeadroom(request, candidates, policy, decision.verdicts);
  Score(request, candidates, policy, decision.verdicts);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (decision.verdicts[i].code == RouteCode::kFits) decision.ranked.push_back(i);
  }
  if (decision.ranked.size() > 1) {
    std::ranges::stable_sort(decision.ranked, {},
                             [&](std::size_t i) { return decision.verdicts[i].score_s; });
  }
  if (decision.ranked.empty()) decision.refusal = RefusalOf(request, candidates, decision.verdicts);
  return decision;
}

std::string Why(const RouteVerdict& verdict, const RouteRequest& request,
                const RouteCandidate& candidate) {
  return fmt::format(fmt::runtime(TextOf(verdict.code).why), candidate.member, verdict.subject,
                     request.model);
}

}  // namespace switchyard::policy
