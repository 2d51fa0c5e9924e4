// OpenCL's results as errors of ours.
#pragma once

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <string_view>

#include "base/error.h"

namespace switchyard::opencl {

// "CL_OUT_OF_RESOURCES"; "an unknown error" for a number that is none.
std::string_view ClName(cl_int result);

// Succeeds for CL_SUCCESS. `doing` begins the sentence: "creating a buffer of 12 bytes".
base::Status Check(cl_int result, std::string_view doing);
// The same for results of work that was enqueued before, of which any failure loses the device.
base::Status CheckWork(cl_int result, std::string_view doing);

}  // namespace switchyard::opencl
