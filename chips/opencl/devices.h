// The machine's OpenCL devices, of all platforms in the order in which the loader gives them. Found
// at the first question, not before: asking wakes every driver. Safe from any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cl_status.h"
#include "switchyard/chip.h"

namespace switchyard::opencl {

struct FoundDevice {
  cl_platform_id platform = nullptr;
  cl_device_id id = nullptr;
  std::string platform_name;
  std::string platform_version;
  std::string name;
  std::string maker;
  std::string driver_version;
  cl_device_type type = 0;
  cl_uint unit_count = 1;
  std::uint64_t memory_bytes = 0;
  std::uint64_t most_buffer_bytes = 0;
  std::size_t most_lanes = 1;  // work-items of a group
  std::uint64_t local_memory_bytes = 0;
  bool has_fast_fma = false;
  // Buffers of ours that lie in host memory are the very memory that kernels read: true of a device
  // that is the host's own processor, where we have seen it.
  bool shares_host_memory = false;
  // Whether chips/opencl passed the conformance suite on this platform's devices of this type. What
  // has not been tried is only compiled for, however alike it is.
  bool is_proven = false;

  bool is_cpu() const { return (type & CL_DEVICE_TYPE_CPU) != 0; }
};

// Usable ones: OpenCL 1.2, little-endian, with a compiler, available. None is no error.
const std::vector<FoundDevice>& Devices();

// kNotFound beyond the last.
base::Result<const FoundDevice*> DeviceAt(std::uint32_t index);

}  // namespace switchyard::opencl
