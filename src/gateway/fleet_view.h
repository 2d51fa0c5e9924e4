// The members of a fleet at one moment.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/fleet_config.h"
#include "gateway/member_state.h"

namespace switchyard::gateway {

class MemberRecord;  // what changes with each request; gateway/member_record.h

// A member, at one moment.
struct Member {
  std::shared_ptr<const MemberConfig> config;  // with the fleet and with requests in progress
  std::shared_ptr<const MemberState> state;    // what it said last; likewise
  std::shared_ptr<MemberRecord> record;        // with the fleet and with attempts
  bool is_draining = false;                    // by an operator's order
  bool is_forbidden = false;
  std::string export_rule = {};  // that stands against it; empty: none

  const std::string& name() const { return config->name; }
  // The member's own name for the fleet's model and what is known of it there; null: it does not
  // serve it.
  const ModelState* Model(std::string_view model) const;
};

// All of them. A value that does not change; the fleet makes a new one when it does.
struct FleetView {
  std::shared_ptr<const FleetConfig> config;  // with the fleet
  std::vector<Member> members;

  const Member* Find(std::string_view name) const;
  // Of all members, each once, by name.
  std::vector<std::string> Models() const;
};

}  // namespace switchyard::gateway
