// `switchyard fleet join`: an engine that is not ours, or that runs elsewhere, is a member of a
// fleet for as long as this program runs beside it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/gateway_calls.h"
#include "cli/member_facts.h"

namespace CLI {
class App;
}  // namespace CLI

namespace switchyard::cli {

struct JoinOptions {
  std::string url;
  std::string name;
  std::string kind = "openai";
  std::string api_key_file;
  std::string member_key_file;
  std::vector<std::string> models;
  std::string chip;
  MemberFacts facts;
};

void AddJoinOptions(CLI::App& command, JoinOptions& options);

// Registers, and renews until a signal asks it to stop. An error: what it says is wrong or has no
// right, which no waiting changes.
base::Status JoinFleet(const GatewayAddress& gateway, const JoinOptions& options);

}  // namespace switchyard::cli
