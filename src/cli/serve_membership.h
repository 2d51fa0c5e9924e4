// What --gateway of `switchyard serve` means: what a server says of itself to the gateways that it
// registers with.
#pragma once

#include <memory>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "cli/fleet_membership.h"
#include "cli/serve_options.h"
#include "cli/served_question.h"
#include "server/metrics.h"

namespace switchyard::cli {

// Registers from now on; null without --gateway. `address` is where the server serves.
base::Result<std::unique_ptr<FleetMembership>> JoinFleets(
    const ServeOptions& options, const ServerAddress& address,
    const std::vector<server::ServingChip>& chips, const base::LogSink& log);

}  // namespace switchyard::cli
