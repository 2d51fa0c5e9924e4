// Whether what was measured is good enough, by bounds that are stated. Pure.
#pragma once

#include <string>
#include <vector>

#include "certify/certificate.h"
#include "ops/tolerances.h"

namespace switchyard::certify {

struct Bounds {
  double mean_kl;  // nats, of each scenario
  double p99_kl;
  double worst_kl;
  double same_best;   // share of all positions, at least
  double perplexity;  // relative difference
  double greedy_gap;  // of A's best two logits where the chips' own texts part
};

// What rounding explains, by the coarsest rounding of operands that is allowed. Measured on the
// default model: operands in f16 give a mean of 2e-6; int8 activations by blocks 4e-3, and the same
// best token at 95.0 to 95.8 % of positions.
Bounds BoundsFor(ops::Operands operands);

// Fills in certificate.verdict; `guilty`: operations found wrong, in the order of the program.
void Judge(Certificate& certificate, const Bounds& bounds, std::vector<std::string> guilty);

}  // namespace switchyard::certify
