// The kernels' text as a device's compiler gets it: the files of kernels/ joined into one program.
// Immutable; safe from any thread.
#pragma once

#include <string>

namespace switchyard::simt {

// The kernels for which ReadsBlocks is false: for any weight.
const std::string& RowKernelText();

// Those for which it is true; WEIGHT_FORMAT is given when compiling.
const std::string& BlockKernelText();

// Those that measure what a device can do.
const std::string& CeilingKernelText();

}  // namespace switchyard::simt
