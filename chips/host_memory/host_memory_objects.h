// The objects behind the chip interface's handles, for chips in host memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "host_memory_chip.h"
#include "switchyard/chip.h"

namespace switchyard::chips {

inline constexpr std::uint64_t kAlignmentBytes = 64;

struct FreeMemory {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedMemory = std::unique_ptr<std::byte, FreeMemory>;

}  // namespace switchyard::chips

struct sy_device {
  sy_device_properties properties{};
  std::unique_ptr<switchyard::chips::HostMemoryDevice> hooks;
  std::atomic<bool> is_lost = false;

  // Refuses what the machine cannot hold, so that a wrong size is an error rather than a machine
  // that swaps.
  switchyard::base::Result<switchyard::chips::AlignedMemory> Allocate(std::uint64_t bytes);
};

struct sy_buffer {
  sy_device* device = nullptr;
  std::uint64_t bytes = 0;
  switchyard::chips::AlignedMemory memory;
};

// Work that was recorded, in order.
struct sy_capture {
  sy_device* device = nullptr;
  std::vector<std::function<switchyard::base::Status()>> steps;
};

struct sy_queue {
  sy_device* device = nullptr;
  std::unique_ptr<sy_capture> recording;  // null when work is done as it comes
};

struct sy_event {
  sy_device* device = nullptr;
};

struct sy_weight {
  sy_device* device = nullptr;
  sy_weight_desc desc{};  // its `data` is not kept
  switchyard::chips::AlignedMemory memory;

  static switchyard::base::Result<std::unique_ptr<sy_weight>> Create(sy_device* device,
                                                                     const sy_weight_desc& desc);
};

struct sy_program {
  sy_device* device = nullptr;
  std::vector<sy_tensor> tensors;
  std::vector<sy_op> ops;
  std::vector<std::uint32_t>
      results;  // arguments that some operation writes as an output, or views
  std::vector<std::uint64_t> temporary_offsets;  // by tensor, into the workspace
  std::uint64_t workspace_bytes = 0;
  std::uint32_t slot_count = 0;

  static switchyard::base::Result<std::unique_ptr<sy_program>> Create(sy_device* device,
                                                                      const sy_program_desc& desc);
  switchyard::base::Status Run(const std::vector<sy_binding>& bindings, const sy_buffer* workspace,
                               std::uint64_t workspace_offset) const;

 private:
  switchyard::base::Status Locate(const std::vector<sy_binding>& bindings, std::byte* workspace,
                                  std::vector<std::byte*>& addresses) const;
};
