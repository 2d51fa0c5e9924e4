// What a device can do at best, measured on it: memory GB/s and GFLOP/s by type. Measuring takes
// about a second a figure, so figures are remembered in the cache folder for a week, for exactly
// the device, code path and thread count that they were measured with.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "device/device.h"

namespace switchyard::cli {

struct Ceilings {
  std::optional<double> memory_gb_s;      // none: the chip can't measure itself
  std::map<std::string, double> gflop_s;  // by type: "f32", "bf16", "i8"
};

enum class CeilingSource { kRemembered, kMeasureNow };

Ceilings MeasureCeilings(const device::Device& device, const std::filesystem::path& cache_folder,
                         CeilingSource source);

base::Json ToJson(const Ceilings& ceilings);

}  // namespace switchyard::cli
