// The members of a fleet as this gateway sees them, for Prometheus.
#pragma once

#include <string>

#include "gateway/fleet_view.h"

namespace switchyard::gateway {

// Prometheus's text. Each line has the member's name, its chip and its maker as labels.
std::string RenderMembers(const FleetView& view);

}  // namespace switchyard::gateway
