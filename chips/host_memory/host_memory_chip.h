// A chip whose devices are this machine's own memory and whose queues do everything at once: all of
// the chip interface but the computing. A plugin lists host_memory_chip.cc among its sources,
// defines kChip, and says through HostMemoryDevice what running an operation means.
//
// These plugins are linked with Switchyard's own modules, as the truth lives there; that is for
// them alone, other chips see include/ only.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ops/reference/reference.h"
#include "switchyard/chip.h"

namespace switchyard::chips {

// What one opened device decides. Called from any thread, several at once. A hook that fails with
// kUnavailable loses the device for good.
class HostMemoryDevice {
 public:
  HostMemoryDevice() = default;
  HostMemoryDevice(const HostMemoryDevice&) = delete;
  HostMemoryDevice& operator=(const HostMemoryDevice&) = delete;
  virtual ~HostMemoryDevice() = default;

  // What options have made of this device; begins as kChip.describe left it.
  virtual void Describe(sy_device_properties& /*properties*/) const {}
  // Before each buffer and weight.
  virtual base::Status OnAllocate() { return {}; }
  // Why this device cannot run the operation, which may not be valid; empty if it can.
  virtual std::string WhyUnsupported(const sy_op& /*op*/,
                                     std::span<const sy_tensor> /*tensors*/) const {
    return {};
  }
  virtual base::Status OnRunBegin() { return {}; }
  virtual base::Status Compute(const ops::reference::Call& call) = 0;
  // Each output of the run that the caller can read, after everything is computed.
  virtual void OnRunEnd(std::span<const ops::reference::Operand> /*results*/) {}
};

struct HostMemoryChip {
  const char* name;
  std::uint32_t device_count;
  // Fills in name, maker, architecture, flags and proof; the rest is known.
  void (*describe)(std::uint32_t index, sy_device_properties& properties);
  base::Result<std::unique_ptr<HostMemoryDevice>> (*open)(std::uint32_t index,
                                                          std::span<const sy_option> options);
};

// Defined by the plugin.
extern const HostMemoryChip kChip;

// Writes a sentence into one of sy_device_properties' fixed fields, cut off to fit.
template <std::size_t kSize>
void SetText(char (&field)[kSize], std::string_view text) {
  text.copy(field, kSize - 1);
  field[std::min(text.size(), kSize - 1)] = '\0';
}

}  // namespace switchyard::chips
