// Runs the same decode steps again and again on one chip and holds each against its first: what is
// right at first and wrong after ten thousand steps is found here, and what is not repeatable.
#pragma once

#include <cstdint>
#include <span>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/examination.h"
#include "engine/runner.h"

namespace switchyard::certify {

// Stops at the first step whose KL from its first result is above `kl_bound`. One thread.
base::Result<Soak> RunSoak(engine::Runner& runner, std::span<const model::TokenId> text,
                           std::int64_t steps, double kl_bound, const Progress& progress);

}  // namespace switchyard::certify
