// The objects behind the interface's handles: device, buffers, queues, events and weights. Each is
// made and destroyed by the functions of entry.cc; what is made from a device must die before it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_table.h"
#include "memory.h"
#include "panel_packing.h"
#include "status.h"
#include "switchyard/chip.h"
#include "team.h"
#include "variants.h"

struct sy_device {
  const switchyard::cpu::Variant* variant = nullptr;
  const switchyard::cpu::KernelTable* kernels = nullptr;  // the variant's
  std::unique_ptr<switchyard::cpu::Team> team;
  switchyard::cpu::MemoryPool weight_memory;
};

struct sy_buffer {
  switchyard::cpu::Memory memory;
};

// Work runs within the call that enqueues it, so a queue holds nothing but its device.
struct sy_queue {
  sy_device* device = nullptr;
};

struct sy_event {
  sy_device* device = nullptr;
};

struct sy_weight {
  sy_device* device = nullptr;
  sy_dtype dtype = SY_F32;
  std::uint32_t rank = 0;
  std::int64_t dims[SY_MAX_RANK] = {1, 1, 1, 1};
  // A vector is its floats; anything else is `matrices` times `panels` panels.
  bool is_vector = false;
  const switchyard::cpu::WeightFormat* format = nullptr;
  switchyard::cpu::PanelLayout layout = {};
  std::int64_t matrices = 1;
  std::int64_t rows = 0;  // N of each
  std::int64_t k = 0;
  std::int64_t panels = 0;  // of each
  switchyard::cpu::Memory memory;

  const float* vector() const { return reinterpret_cast<const float*>(memory.data()); }
  const std::uint8_t* panel(std::int64_t matrix, std::int64_t index) const {
    return reinterpret_cast<const std::uint8_t*>(memory.data()) +
           (matrix * panels + index) * layout.panel_bytes;
  }
};

namespace switchyard::cpu {

// What the machine is, for device_properties.
struct Machine {
  std::string name;
  std::string maker;
  int usable_cores = 1;  // physical cores that this process may run on
};
const Machine& ThisMachine();

// Options: "threads" (1..1024) and "isa" (a name of variants.h).
Result<std::unique_ptr<sy_device>> OpenDevice(std::span<const sy_option> options);

// How the activations meet a weight of this type on this device.
ActivationKind ActivationOf(const KernelTable& kernels, PanelFormat format);

Result<std::unique_ptr<sy_weight>> CreateWeight(sy_device* device, const sy_weight_desc& desc);
void DescribeWeight(const sy_weight& weight, sy_weight_properties* properties);

Result<double> MeasureCeiling(sy_device* device, sy_ceiling ceiling, sy_dtype dtype);

}  // namespace switchyard::cpu
