// How far a chip has come: tiers of capability, each of which stands on those before it. A tier is
// reached when, for some type of activations, every case of it passed, with at least one type of
// weights and of KV pages where it has those.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "conformance/suite.h"

namespace switchyard::conformance {

struct Rung {
  std::string name;     // "linear only"
  std::string purpose;  // what a chip of this tier is good for
  bool is_reached = false;
  // What it was reached with: "f32 (weights f32, f16; pages f16)", one for each type of
  // activations.
  std::vector<std::string> reached_with = {};
  // What stands in the way where it was not, for the type of activations that came nearest.
  std::vector<std::string> missing = {};
};

// The names of all, from the bottom to the top.
std::vector<std::string> TierNames();

// From the bottom to the top.
std::vector<Rung> Climb(std::span<const CaseResult> results);

// A line for each rung, then what is missing for the first that was not reached.
std::string DescribeLadder(const std::vector<Rung>& rungs);

}  // namespace switchyard::conformance
