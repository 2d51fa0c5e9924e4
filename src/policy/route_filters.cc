#include "policy/route_filters.h"

#include <algorithm>

namespace switchyard::policy {
namespace {

template <typename Texts>
bool Has(const Texts& texts, std::string_view text) {
  return std::ranges::find(texts, text) != std::ranges::end(texts);
}

// An empty list allows all; a place that does not say is in none.
template <typename Texts>
bool Allows(const Texts& texts, std::string_view text) {
  return std::ranges::empty(texts) || Has(texts, text);
}

const TenantRule* RuleOf(std::string_view tenant, const RoutePolicy& policy) {
  const auto rule = std::ranges::find(policy.tenants, tenant, &TenantRule::name);
  return rule == policy.tenants.end() ? nullptr : &*rule;
}

bool IsLongEnough(const RouteRequest& request, std::int64_t context_tokens) {
  if (context_tokens == 0) return true;
  // Nobody but the member itself counts tokens exactly, so an estimate must be far off to count.
  const std::int64_t prompt =
      request.is_estimate ? request.prompt_tokens / 2 : request.prompt_tokens;
  return prompt < context_tokens;
}

// The tag that keeps the request away from `place`; empty: none does.
std::string_view KeptAwayBy(std::span<const std::string> tags, const Place& place,
                            const RoutePolicy& policy) {
  for (const std::string& tag : tags) {
    const auto rule = std::ranges::find(policy.residency, tag, &ResidencyRule::tag);
    // What nobody has defined cannot be kept.
    if (rule == policy.residency.end()) return tag;
    const bool is_allowed =
        Allows(rule->regions, place.region) && Allows(rule->jurisdictions, place.jurisdiction) &&
        Allows(rule->makers, place.maker) && Allows(rule->owners, SideOf(place, "owner"));
    if (!is_allowed) return tag;
  }
  return {};
}

bool IsCertificateWanting(const RouteRequest& request, const RouteCandidate& candidate,
                          const RoutePolicy& policy) {
  if (policy.certificates == CertificateDemand::kNone) return false;
  if (policy.certificates == CertificateDemand::kMoves) {
    if (request.resumption == nullptr) return false;
    // Between two chips of one kind nothing changes that a certificate could vouch for.
    const Place* from = request.resumption->from;
    if (from != nullptr && !from->chip.empty() && from->chip == candidate.place->chip) return false;
  }
  return candidate.certificate != CertificateState::kInForce &&
         !Has(policy.uncertified, candidate.member) &&
         !Has(policy.uncertified, candidate.place->chip);
}

RouteVerdict FilterByPolicy(const RouteRequest& request, const RouteCandidate& candidate,
                            const RoutePolicy& policy) {
  const Place& place = *candidate.place;
  const TenantRule* tenant = RuleOf(request.tenant, policy);
  if (candidate.is_forbidden) return {RouteCode::kForbidden, candidate.member};
  if (!Allows(policy.regions, place.region) || !Allows(request.regions, place.region) ||
      (tenant != nullptr && !Allows(tenant->regions, place.region))) {
    return {RouteCode::kRegion, place.region};
  }
  if (const auto tag = KeptAwayBy(request.residency, place, policy); !tag.empty()) {
    return {RouteCode::kResidency, tag};
  }
  if (tenant != nullptr) {
    if (const auto tag = KeptAwayBy(tenant->residency, place, policy); !tag.empty()) {
      return {RouteCode::kResidency, tag};
    }
  }
  const std::string_view owner = SideOf(place, "owner");
  if (!Allows(policy.owners, owner) || (tenant != nullptr && !Allows(tenant->owners, owner))) {
    return {RouteCode::kOwner, owner};
  }
  if (!candidate.export_rule.empty()) return {RouteCode::kExport, candidate.export_rule};
  if (IsCertificateWanting(request, candidate, policy)) {
    return {RouteCode::kCertificate, place.chip};
  }
  for (const StockRule& rule : policy.stock) {
    if (rule.is_strict && IsSpent(rule, candidate)) return {RouteCode::kStock, place.chip};
  }
  return {};
}

RouteCode CodeOf(Reach reach, bool is_resumption) {
  switch (reach) {
    case Reach::kReachable:
    case Reach::kUnknown:
      return RouteCode::kFits;
    case Reach::kLost:
      return RouteCode::kLost;
    case Reach::kDraining:
      return RouteCode::kDraining;
    // An answer in progress has nothing to lose by trying; Score puts such members last.
    case Reach::kBroken:
      return is_resumption ? RouteCode::kFits : RouteCode::kBroken;
    case Reach::kBusy:
      return is_resumption ? RouteCode::kFits : RouteCode::kBusy;
  }
  return RouteCode::kLost;
}

}  // namespace

bool IsSpent(const StockRule& rule, const RouteCandidate& candidate) {
  return rule.chip == candidate.place->chip && candidate.load.busy_hours >= rule.hours_per_day;
}

RouteVerdict Filter(const RouteRequest& request, const RouteCandidate& candidate,
                    const RoutePolicy& policy) {
  if (!candidate.serves_model) {
    if (!candidate.is_unheard) return {RouteCode::kOtherModel, request.model};
    RouteCandidate at_best = candidate;  // nor is its certificate known
    at_best.certificate = CertificateState::kInForce;
    const RouteVerdict verdict = FilterByPolicy(request, at_best, policy);
    if (verdict.code != RouteCode::kFits) return verdict;
    return {RouteCode::kUnheard, candidate.member};
  }
  if (!IsLongEnough(request, candidate.context_tokens)) {
    return {RouteCode::kContext, candidate.member};
  }
  const RouteVerdict verdict = FilterByPolicy(request, candidate, policy);
  if (verdict.code != RouteCode::kFits) return verdict;
  if (Has(request.tried, candidate.member)) return {RouteCode::kTried, candidate.member};
  return {CodeOf(candidate.reach, request.resumption != nullptr), candidate.member};
}

}  // namespace switchyard::policy
