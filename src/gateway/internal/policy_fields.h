// The parts of fleet.toml that say where members stand and what may run there.
#pragma once

#include "gateway/export_check.h"
#include "gateway/internal/toml_fields.h"
#include "policy/route_facts.h"
#include "policy/routing.h"

namespace switchyard::gateway::internal {

// chip, maker, region and so on of a [[member]].
void ReadPlace(TomlFields& fields, policy::Place& place);
// [policy.export], but for its rules
base::Status ReadExport(TomlFields& fields, ExportConfig& exports);
// [policy]
base::Status ReadPolicy(TomlFields& fields, policy::RoutePolicy& policy);

}  // namespace switchyard::gateway::internal
