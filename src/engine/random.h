// Counter-based randomness: a pure function of seed and position, so that any chip can go on where
// another stopped and draw the same numbers. Philox-4x32-10 of Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3" (SC'11).
#pragma once

#include <array>
#include <cstdint>

namespace switchyard::engine {

std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// Uniform in [0, 1), with 53 bits, for the token at `position` of choice `choice` (of `n`).
double UniformAt(std::uint64_t seed, std::uint64_t position, std::uint32_t choice = 0);

}  // namespace switchyard::engine
