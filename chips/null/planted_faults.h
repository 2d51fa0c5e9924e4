// Faults that real chips have had, to be planted in a fake card whose answers are else the
// reference's: what certification must find. Each bends one operation and leaves the rest true.
#pragma once

#include <span>
#include <string_view>

#include "base/error.h"
#include "ops/reference/reference.h"

namespace switchyard::chips {

struct PlantedFault {
  std::string_view name;
  // Computes one operation, wrongly where the fault strikes.
  base::Status (*run)(const ops::reference::Call& call);
  bool depends_on_batch = false;
};

// Null if there is none of that name.
const PlantedFault* FindPlantedFault(std::string_view name);
std::span<const PlantedFault> PlantedFaults();

}  // namespace switchyard::chips
