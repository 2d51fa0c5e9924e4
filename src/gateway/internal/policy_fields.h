// The parts of fleet.toml that say where members stand and what may run there.
#pragma once

#include "base/toml_fields.h"
#include "gateway/export_check.h"
#include "policy/route_facts.h"
#include "policy/routing.h"

namespace switchyard::gateway::internal {

// chip, maker, region and so on of a [[member]].
void ReadPlace(base::TomlFields& fields, policy::Place& place);
// [policy.export], but for its rules
base::Status ReadExport(base::TomlFields& fields, ExportConfig& exports);
// [policy]
base::Status ReadPolicy(base::TomlFields& fields, policy::RoutePolicy& policy);

}  // namespace switchyard::gateway::internal
