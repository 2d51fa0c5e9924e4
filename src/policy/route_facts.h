// What a routing decision looks at: the request, and each member that might take it. Values and
// views; who asks keeps alive what they point to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::policy {

enum class Owner : std::uint8_t { kOwn, kRented };

// Where a member runs and on what, as its operator says.
struct Place {
  std::string chip = {};  // "gpu-80g"; by this name chips are told apart
  std::string maker = {};
  std::string region = {};        // "cn-north-1"
  std::string jurisdiction = {};  // "CN": whose law holds there
  Owner owner = Owner::kOwn;
  double cost_per_hour = 0;  // in the operator's currency
  double power_watts = 0;
  friend bool operator==(const Place&, const Place&) = default;
};

// What a place says to one of the words "maker", "chip", "region", "jurisdiction" and "owner" (own,
// rented); empty for any other word.
std::string_view SideOf(const Place& place, std::string_view key);
bool IsPlaceKey(std::string_view key);

struct Load {
  std::int64_t in_flight = 0;  // that this gateway has there
  std::int64_t running = 0;    // that the member told of, whoever sent them
  std::int64_t waiting = 0;
  std::int64_t prefill_tokens = 0;  // that it has still to compute for them
  // What it does, as far as that was seen; 0: not known.
  double prefill_tokens_s = 0;
  double decode_tokens_s = 0;  // all requests together
  double kv_share = 0;         // of its cache, in use
  double ttft_ms = 0;          // of late, as this gateway saw it; 0: not known
  double itl_ms = 0;
  double served_tokens = 0;  // of late; the same decay for all members
  double busy_hours = 0;     // in the last day
};

enum class CertificateState : std::uint8_t { kNone, kExpired, kInForce };

enum class Reach : std::uint8_t {
  kReachable,
  kUnknown,   // it has not answered yet
  kLost,      // it no longer answers, or its lease ran out
  kBroken,    // its breaker is open
  kBusy,      // it asked for some seconds of rest
  kDraining,  // by its operator's or its own word
};

struct RouteCandidate {
  std::string_view member = {};  // its name
  const Place* place = nullptr;
  bool serves_model = false;
  bool is_unheard = false;  // nor is it known which models it serves
  std::int64_t context_tokens = 0;                         // for the model; 0: not known
  CertificateState certificate = CertificateState::kNone;  // for the model on this chip
  Reach reach = Reach::kReachable;
  bool is_forbidden = false;          // by an operator's word, `switchyard fleet forbid`
  std::string_view export_rule = {};  // that stands against it; empty: none
  std::int64_t capacity = 0;          // requests at once; 0: not known
  std::int64_t cached_tokens = 0;     // of the prompt, that it probably has
  std::int64_t shared_tokens = 0;     // of those, what others ask for as well: no reason to go there
  double wait_s = 0;                  // of kBroken and kBusy: until it may be asked again
  Load load = {};
};

// An answer that began elsewhere and goes on.
struct Resumption {
  const Place* from = nullptr;
};

struct RouteRequest {
  std::string_view model = {};
  std::string_view tenant = {};    // name of the key; empty: none
  std::int64_t prompt_tokens = 0;  // or an estimate
  std::int64_t max_tokens = 0;     // 0: not said
  double wanted_ttft_ms = 0;       // the model's service level; 0: none
  double wanted_itl_ms = 0;
  // What a member would cache, from its beginning, such as the messages as they came; empty:
  // unknown.
  std::string_view prefix_text = {};
  bool is_estimate = true;  // of the prompt: then a context is not held against it closely
  std::span<const std::string> residency = {};   // tags of the request and of its key
  std::span<const std::string> regions = {};     // it must run in one of them; empty: in any
  std::span<const std::string_view> tried = {};  // members that failed it
  const Resumption* resumption = nullptr;        // null: it begins
  double now_s = 0;                              // steady, for shares and stock
};

}  // namespace switchyard::policy
