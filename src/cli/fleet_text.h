// What `switchyard fleet` shows, made of what a gateway says. Pure; whatever the JSON holds.
#pragma once

#include <string>

#include "base/json.h"

namespace switchyard::cli {

// GET fleet: a line for each member, orders in force, what users felt in the last minute.
std::string FleetText(const base::Json& fleet);
// GET fleet/explain/ID
std::string ExplanationText(const base::Json& decisions);
// GET fleet/drill
std::string DrillText(const base::Json& drill);
// GET fleet/audit
std::string AuditText(const base::Json& audit);

}  // namespace switchyard::cli
