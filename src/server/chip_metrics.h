// What GET /metrics tells of the chips. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/completion_service.h"
#include "server/metrics.h"

namespace switchyard::server {

// The share of the chip's memory bandwidth that decoding reached since the start; none: the ceiling
// is unknown, or nothing was decoded.
std::optional<double> CeilingShare(const engine::ReplicaStatus& replica, const ServingChip& chip);

// Of a step: what was known when the chip was opened, or what steps of other shapes had since.
std::uint64_t FallbackOperations(const engine::ReplicaStatus& replica, const ServingChip& chip);

// `labels` as in model_name="m", without braces. The two lists are of the same chips.
std::string RenderChips(std::span<const engine::ReplicaStatus> replicas,
                        std::span<const ServingChip> chips, std::string_view labels);

}  // namespace switchyard::server
