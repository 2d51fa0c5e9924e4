// What the maker of a chip fills in. The kit (entry.cc, program.cc) is the other half: it holds the
// interface's table, keeps the objects behind the handles, checks what the host hands over and
// keeps exceptions inside; so a chip says here what its vendor's library is to be asked for.
//
// Functions fail by throwing a Failure (call_guard.h); SY_UNAVAILABLE loses the device for good.
// They are called from any thread: on one Queue one at a time, on all else several at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kit/call_guard.h"
#include "kit/options.h"
#include "switchyard/chip.h"

namespace switchyard::chips {

// A place in the device's memory as the vendor's library numbers it, which is a pointer most often,
// and seldom one that the host may follow. 0 is nowhere.
using Address = std::uint64_t;

// A weight on the device. `dtype` and `row_bytes` are what PrepareWeight made of it, whatever the
// program's tensor says: rows lie row_bytes apart, matrices of a stack (rank 3) behind each other.
struct PreparedWeight {
  sy_dtype dtype = SY_F32;
  std::uint64_t row_bytes = 0;
  Address address = 0;
};

// One tensor of an operation. Addresses are 0 while only support is being asked.
struct Operand {
  const sy_tensor* tensor = nullptr;  // null: an optional input that is absent
  Address base = 0;                   // where its memory begins: aligned as the device asks for
  std::uint64_t offset_bytes = 0;     // from there to its first element; 0 but for views
  const PreparedWeight* weight = nullptr;
  const void* host_copy = nullptr;  // of attention's three index tensors, as in sy_binding

  explicit operator bool() const { return tensor != nullptr; }
  Address address() const { return base + offset_bytes; }
  sy_dtype dtype() const { return tensor->dtype; }
  std::int64_t dim(std::uint32_t i) const { return tensor->dims[i]; }
};

// One operation with its operands found: chip.h says what each kind takes and gives.
struct Operation {
  sy_op op;
  Operand inputs[SY_MAX_INPUTS];
  Operand outputs[SY_MAX_OUTPUTS];
  Address scratch = 0;  // as many bytes as ScratchBytes said; used by nothing else meanwhile
};

// A point in a queue. As it is here it suits a device whose queues do everything at once, where
// whatever was before the point is done already.
class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  virtual ~Event() = default;
  virtual void Sync() {}  // the host waits
};

// Work that is done in the order given. Everything may return before it is done, and then reads
// host memory later: that stays valid until Sync or an event after it. Ranges were checked; no call
// is of 0 bytes.
class Queue {
 public:
  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  virtual ~Queue() = default;  // waits for the queue's work

  virtual void Upload(Address to, const void* from, std::uint64_t bytes) = 0;
  virtual void Download(void* to, Address from, std::uint64_t bytes) = 0;
  virtual void Copy(Address to, Address from, std::uint64_t bytes) = 0;
  virtual void Fill(Address to, std::uint8_t value, std::uint64_t bytes) = 0;
  // An operation for which Device::WhyNot had no objection. Host copies are read before this
  // returns; the operands' memory stays until the work is done.
  virtual void Run(const Operation& operation);

  // Reports what went wrong since the last one. These three may stay as they are for a device that
  // does everything at once.
  virtual void Sync() {}
  virtual void Record(Event& /*event*/) {}
  virtual void Wait(Event& /*event*/) {}
};

// What a weight is to look like in device memory.
struct WeightImage {
  sy_dtype dtype = SY_F32;
  std::uint64_t row_bytes = 0;
  std::vector<std::byte> bytes;
  std::string layout;  // for reports: "f16, rows of 64 bytes"
};

// One opened device. Everything made from it is destroyed before it.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  // What options have made of this device; begins as kChip.describe left it.
  virtual void Describe(sy_device_properties& /*properties*/) const {}

  // Memory, aligned to sy_device_properties.alignment_bytes. Never asked for 0 bytes.
  virtual Address Allocate(std::uint64_t bytes) = 0;
  virtual void Free(Address address) noexcept = 0;
  virtual std::uint64_t AvailableBytes() = 0;
  // For SY_DEVICE_HOST_MEMORY: where the host sees the same bytes.
  virtual void* HostAddress(Address address);

  virtual std::unique_ptr<Queue> CreateQueue() = 0;
  virtual std::unique_ptr<Event> CreateEvent() { return std::make_unique<Event>(); }

  // weights.h has what most chips want. As it is here the weight stays as the file has it.
  virtual WeightImage PrepareWeight(const sy_weight_desc& desc) const;

  // Why this device cannot run the operation; empty if it can. A pure function of kinds, types,
  // dims, strides and attributes. What is refused runs on the reference, with this reason in the
  // load report.
  virtual std::string WhyNot(const Operation& /*operation*/) const {
    return "this chip has no operations yet";
  }
  // Device memory that the operation needs besides its operands. Libraries that plan an operation
  // before its run are asked here.
  virtual std::uint64_t ScratchBytes(const Operation& /*operation*/) const { return 0; }

  // GB/s or GFLOP/s, measured in at most about a second.
  virtual double MeasureCeiling(sy_ceiling ceiling, sy_dtype dtype);
};

struct Chip {
  const char* name;  // as in --chip; the plugin is switchyard_chip_NAME.so
  // Slow, crashing or hanging drivers are met here: the host first calls it in another process.
  // 0 if the machine has none.
  std::uint32_t (*device_count)();
  void (*describe)(std::uint32_t index, sy_device_properties& properties);
  std::unique_ptr<Device> (*open)(std::uint32_t index, Options& options);
};

// Defined by the chip.
extern const Chip kChip;

// The host's table: a log, and a folder for compiled kernels.
const sy_host& Host();

// Writes a text into one of sy_device_properties' fields, cut off to fit.
template <std::size_t kSize>
void SetText(char (&field)[kSize], const std::string& text) {
  field[text.copy(field, kSize - 1)] = '\0';
}

}  // namespace switchyard::chips
