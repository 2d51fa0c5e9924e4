// How fast a model runs on a chip against what the chip can do at best: end to end, and operation
// by operation, so that what costs most and what would be won there are plain. One thread.
//
// An operation's least time is the larger of its bytes over the memory ceiling and its arithmetic
// over the ceiling of its type (the roofline of Williams, Waterman and Patterson, CACM 2009); its
// share is that time over the measured one.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "certify/certificate.h"
#include "certify/examination.h"
#include "device/program.h"
#include "engine/runner.h"
#include "model/model.h"

namespace switchyard::certify {

// `runner` runs `model` on `target`. `efficiency` brings the ceilings and takes the rest.
base::Status MeasureEfficiency(model::Model& model, const device::Target& target,
                               engine::Runner& runner, Efficiency& efficiency,
                               const Progress& progress);

}  // namespace switchyard::certify
