// Where a request runs: each member that might take it is held against the filters, those that pass
// are ranked, and every verdict can say why. A refusal by policy is final: it is not retried and
// not routed around; that nobody is free is another thing, and passes.
//
// Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/route_facts.h"

namespace switchyard::policy {

// Why a member is not asked. In the order in which the filters are applied.
enum class RouteCode : std::uint8_t {
  kFits,
  kOtherModel,
  kContext,    // prompt and answer do not fit
  kForbidden,  // from here on: policy
  kRegion,
  kResidency,
  kOwner,
  kExport,
  kCertificate,  // to here
  kTried,        // it has failed this request
  kLost,
  kDraining,
  kBroken,
  kBusy,
};

// As in an error's `code`: "policy_residency"; "fits" for kFits.
std::string_view CodeName(RouteCode code);
bool IsPolicy(RouteCode code);

// A tag, and where what bears it may run; an empty list allows all.
struct ResidencyRule {
  std::string tag = {};
  std::vector<std::string> regions = {};
  std::vector<std::string> jurisdictions = {};
  std::vector<std::string> makers = {};
  std::vector<std::string> owners = {};  // "own", "rented"
  friend bool operator==(const ResidencyRule&, const ResidencyRule&) = default;
};

// What holds for the keys of one name beside what the request says.
struct TenantRule {
  std::string name = {};
  std::vector<std::string> residency = {};
  std::vector<std::string> regions = {};
  std::vector<std::string> owners = {};
  friend bool operator==(const TenantRule&, const TenantRule&) = default;
};

enum class CertificateDemand : std::uint8_t {
  kNone,   // any chip may begin and go on with any answer
  kMoves,  // an answer moves to another chip only if that has a certificate in force
  kAlways,
};

struct RoutePolicy {
  CertificateDemand certificates = CertificateDemand::kMoves;
  std::vector<std::string> uncertified = {};  // chips or members that need none
  std::vector<std::string> regions = {};      // for all requests; empty: any
  std::vector<std::string> owners = {};       // likewise
  std::vector<ResidencyRule> residency = {};
  std::vector<TenantRule> tenants = {};
  friend bool operator==(const RoutePolicy&, const RoutePolicy&) = default;
};

struct RouteVerdict {
  RouteCode code = RouteCode::kFits;
  std::string_view subject =
      {};              // what the filter found, such as the tag; lives with policy and request
  double score_s = 0;  // of kFits: expected seconds, and what policy adds; less is better
};

enum class RefusalKind : std::uint8_t {
  kNoSuchModel,  // 404
  kTooLong,      // 400
  kPolicy,       // 403
  kUnavailable,  // 503: later perhaps
};

struct RouteRefusal {
  RefusalKind kind = RefusalKind::kUnavailable;
  std::string code = {};     // of an error's body
  std::string message = {};  // a sentence for the client
  double retry_after_s = 0;  // of kUnavailable
};

struct RouteDecision {
  std::vector<std::size_t> ranked = {};      // candidates, best first
  std::vector<RouteVerdict> verdicts = {};   // one for each candidate
  std::optional<RouteRefusal> refusal = {};  // if `ranked` is empty
};

RouteDecision Route(const RouteRequest& request, std::span<const RouteCandidate> candidates,
                    const RoutePolicy& policy);

// A sentence for `fleet explain` and for headers.
std::string Why(const RouteVerdict& verdict, const RouteRequest& request,
                const RouteCandidate& candidate);

}  // namespace switchyard::policy
