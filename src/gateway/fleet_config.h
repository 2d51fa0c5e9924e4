// fleet.toml: where a gateway listens, which members stand behind it, what they are, and what may
// run where. Read and checked as a whole; a complaint names the file's line. A value, immutable
// once it is shared. docs/fleet.md explains each key.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gateway/export_check.h"
#include "policy/breaker.h"
#include "policy/hedge.h"
#include "policy/outliers.h"
#include "policy/retry_budget.h"
#include "policy/route_facts.h"
#include "policy/routing.h"

namespace switchyard::gateway {

enum class MemberKind : std::uint8_t {
  kSwitchyard,  // speaks docs/member_protocol.md
  kOpenAi,      // any server of OpenAI's protocol
};

// A model as a member serves it.
struct ServedModel {
  std::string name = {};            // the fleet's
  std::string upstream = {};        // the member's own name for it
  std::int64_t context_tokens = 0;  // 0: the member says, or nobody knows
  friend bool operator==(const ServedModel&, const ServedModel&) = default;
};

struct MemberConfig {
  std::string name = {};
  std::string url = {};  // "http://host:port", without a path or with one that stands before /v1
  MemberKind kind = MemberKind::kSwitchyard;
  std::string api_key = {};  // for /v1; empty: none
  std::string member_key =
      {};                    // for /switchyard/v1; empty: none, and then it is asked as kOpenAi is
  std::string ca_file = {};  // PEM of what is trusted for https; empty: the system's
  policy::Place place = {};
  std::vector<ServedModel> models = {};  // empty: those that it tells of
  // Chips of an outside engine have no certificate of ours; its operator may vouch for it.
  bool is_vouched_for = false;
  std::int64_t capacity = 0;  // requests at once; 0: not known
  bool is_leased = false;     // it registered itself, and is gone when it no longer renews
  friend bool operator==(const MemberConfig&, const MemberConfig&) = default;
};

struct ModelConfig {
  std::string name = {};
  std::vector<std::string> aliases = {};
  double ttft_ms = 0;  // service level that is wanted; 0: none
  double itl_ms = 0;
  friend bool operator==(const ModelConfig&, const ModelConfig&) = default;
};

struct ListenConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string certificate_file = {};  // PEM; both or none
  std::string key_file = {};
  std::string api_key_file = {};     // who may ask for answers; empty: anyone
  std::string admin_key_file = {};   // who may operate the fleet; empty: nobody
  std::string member_key_file = {};  // who may register as a member; empty: nobody
  std::int64_t io_threads = 1;
  std::int64_t max_connections = 4096;
  std::int64_t max_body_mib = 32;
  std::chrono::milliseconds drain{30'000};  // what SIGTERM leaves to answers in progress
  std::string request_log = {};             // a file; "-": standard error; empty: none
  friend bool operator==(const ListenConfig&, const ListenConfig&) = default;
};

struct RegistryConfig {
  std::vector<std::string> etcd = {};  // URLs of one cluster's endpoints; empty: embedded
  std::string prefix = "/switchyard/fleet/";
  std::chrono::milliseconds lease{5'000};
  friend bool operator==(const RegistryConfig&, const RegistryConfig&) = default;
};

// How members are watched.
struct WatchConfig {
  std::chrono::milliseconds every{1'000};
  std::chrono::milliseconds timeout{2'000};
  std::int64_t misses = 2;  // in a row: the member is lost
  bool probe = true;        // find out by small requests what outside engines can do
  friend bool operator==(const WatchConfig&, const WatchConfig&) = default;
};

struct TimeoutConfig {
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds first_token{60'000};
  std::chrono::milliseconds stall{15'000};   // between tokens
  std::chrono::milliseconds total{600'000};  // of a whole request
  friend bool operator==(const TimeoutConfig&, const TimeoutConfig&) = default;
};

struct RetryConfig {
  std::int64_t attempts = 8;  // of one request in all, hand-overs included
  policy::RetryLimits budget =
      {};  // of requests that begin anew; hand-overs are not counted against it
  friend bool operator==(const RetryConfig&, const RetryConfig&) = default;
};

struct FleetConfig {
  ListenConfig listen;
  RegistryConfig registry;
  WatchConfig watch;
  TimeoutConfig timeouts;
  RetryConfig retry;
  policy::HedgeLimits hedge;
  policy::BreakerLimits breaker;
  policy::OutlierLimits outlier;
  std::string audit_file = {};  // SQLite; empty: nothing is kept
  std::vector<ModelConfig> models = {};
  std::vector<MemberConfig> members = {};
  std::shared_ptr<const ExportConfig> exports;  // with the fleet's views; null: no rules apply
  policy::RoutePolicy policy;
  friend bool operator==(const FleetConfig&, const FleetConfig&) = default;

  // The fleet's name of what a client calls `model`, an alias perhaps; `model` itself if unknown.
  // It lives as long as the config or `model`.
  std::string_view Canonical(std::string_view model) const;
  const ModelConfig* FindModel(std::string_view name) const;  // null: not listed
};

// What holds for any member, whoever tells of it: a name and a URL that can be used.
base::Status CheckMember(const MemberConfig& member);

// Keys named by files are read, relative to `folder`, which is where fleet.toml lies; "" is here.
base::Result<FleetConfig> ParseFleetConfig(std::string_view text, std::string_view file,
                                           std::string_view folder);
base::Result<FleetConfig> ReadFleetConfig(const std::string& path);

}  // namespace switchyard::gateway
