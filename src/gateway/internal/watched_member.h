// One member under watch: what to ask it next, and what follows from what it said. On the watch's
// loop only.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "gateway/fleet.h"
#include "gateway/internal/ability_probe.h"
#include "gateway/internal/member_calls.h"

namespace switchyard::gateway::internal {

class WatchedMember {
 public:
  WatchedMember(std::shared_ptr<const MemberConfig> config, Fleet& fleet, MemberCalls& calls);

  // Is it still the same server?
  bool Watches(const Member& member) const { return *member.config == *config_; }
  // Asks, unless the last question is not answered yet.
  void Ask(const WatchConfig& watch);

 private:
  bool IsOurs() const { return config_->kind == MemberKind::kSwitchyard; }
  bool TellsItsState() const { return IsOurs() && !config_->member_key.empty(); }
  std::string NextPath() const;
  void Heard(const std::string& path, base::Result<net::FetchedAnswer> answer);
  base::Status Understand(const std::string& path, const net::FetchedAnswer& answer);
  void Missed(std::string why);

  const std::shared_ptr<const MemberConfig> config_;  // with the fleet
  Fleet& fleet_;
  MemberCalls& calls_;
  WatchConfig watch_;
  MemberState state_;
  AbilityProbe probe_;
  std::int64_t questions_ = 0;
  std::int64_t misses_ = 0;  // in a row
  Known has_metrics_ = Known::kUnknown;
  bool is_asking_ = false;
  std::unique_ptr<net::HttpFetch> fetch_;
};

}  // namespace switchyard::gateway::internal
