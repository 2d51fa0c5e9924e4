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
  kCertificate,
  kStock,  // to here
  kTried,    // it has failed this request
  kUnheard,  // it has not said which models it serves
  kLost,
  kDraining,
  kBroken,
  kBusy,
  kHeadroom,  // what is free is kept for the loss of others
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

// The share of all tokens that such members are wanted to have.
struct ShareTarget {
  std::string key = {};  // as IsPlaceKey knows it
  std::string value = {};
  double share = 0;
  friend bool operator==(const ShareTarget&, const ShareTarget&) = default;
};

// A chip that is kept for other work but for so many hours a day.
struct StockRule {
  std::string chip = {};
  double hours_per_day = 24;
  bool is_strict = false;  // then nothing runs there, else only what nobody else can take
  friend bool operator==(const StockRule&, const StockRule&) = default;
};

// How much each wish weighs against waiting, in seconds.
struct RouteWeights {
  double cost_s = 0;    // for one unit of the operator's currency
  double energy_s = 0;  // for one watt-hour
  double share_s = 1;   // for each request that a group is beyond its share
  double level_s = 30;  // for missing the model's service level
  friend bool operator==(const RouteWeights&, const RouteWeights&) = default;
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
  std::vector<ShareTarget> shares = {};
  std::vector<StockRule> stock = {};
  RouteWeights weights = {};
  // "maker": requests are refused while the others could not take on what runs at any one maker; or
  // another key of a place. Empty: never. Where there is one maker only it means nothing.
  std::string survive = {};
  // Members are remembered by the beginnings of the texts that they were sent.
  bool keeps_prefixes = true;
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
