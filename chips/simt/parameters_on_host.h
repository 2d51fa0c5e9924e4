// The kernels' parameter structs for the host's side: the same text, with the dialect's integers.
#pragma once

#include <cstdint>

namespace switchyard::simt {

using i32 = std::int32_t;
using i64 = std::int64_t;

#include "kernels/parameters.h"

}  // namespace switchyard::simt
