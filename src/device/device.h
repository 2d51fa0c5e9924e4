// An opened device and what is made from it: buffers and queues, as owning values over the chip
// interface. Errors carry the chip's own sentence; kUnavailable means that the device is lost.
//
// Threads: as chip.h says. A Device must outlive everything made from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/chip.h"
#include "switchyard/chip.h"

namespace switchyard::device {

struct DeviceOption {
  std::string name;   // "threads"
  std::string value;  // "2"
};

class Device {
 public:
  static base::Result<std::unique_ptr<Device>> Open(const Chip& chip, std::uint32_t index,
                                                    std::span<const DeviceOption> options);
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  const Chip& chip() const { return chip_; }
  const sy_chip_api& api() const { return chip_.api(); }
  sy_device* handle() const { return handle_; }
  const sy_device_properties& properties() const { return properties_; }
  bool host_memory() const { return (properties_.flags & SY_DEVICE_HOST_MEMORY) != 0; }

  base::Result<std::uint64_t> MemoryAvailable() const;
  // kUnimplemented if the chip can't measure itself.
  base::Result<double> MeasureCeiling(sy_ceiling ceiling, sy_dtype dtype) const;

 private:
  Device(const Chip& chip, sy_device* handle) : chip_(chip), handle_(handle) {}
  Chip chip_;
  sy_device* handle_;
  sy_device_properties properties_{};
};

class Buffer {
 public:
  static base::Result<Buffer> Create(Device& device, std::uint64_t bytes);
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  sy_buffer* handle() const { return handle_; }
  std::uint64_t size_bytes() const { return size_bytes_; }
  Device* device() const { return device_; }
  // Its host address; null unless the device has host memory.
  std::byte* host_address() const { return host_address_; }

 private:
  Device* device_ = nullptr;
  sy_buffer* handle_ = nullptr;
  std::uint64_t size_bytes_ = 0;
  std::byte* host_address_ = nullptr;
};

// A queue with the workspace that programs on it share, which grows to the largest asked for.
class Queue {
 public:
  static base::Result<Queue> Create(Device& device);
  Queue() = default;
  Queue(Queue&& other) noexcept { *this = std::move(other); }
  Queue& operator=(Queue&& other) noexcept;
  ~Queue();

  base::Status Upload(const Buffer& to, std::uint64_t to_offset, const void* from,
                      std::uint64_t bytes);
  base::Status Download(void* to, const Buffer& from, std::uint64_t from_offset,
                        std::uint64_t bytes);
  base::Status Fill(const Buffer& to, std::uint64_t to_offset, std::uint8_t value,
                    std::uint64_t bytes);
  // One page of `pages` [n, P, G, d], which lie in `buffer`, in the chip-neutral layout [P, G, d].
  base::Status ExportKvPage(sy_kv_part part, const sy_tensor& pages, const Buffer& buffer,
                            std::uint32_t page, void* to);
  base::Status ImportKvPage(sy_kv_part part, const sy_tensor& pages, const Buffer& buffer,
                            std::uint32_t page, const void* from);
  base::Status Run(sy_program* program, std::span<const sy_binding> bindings,
                   std::uint64_t workspace_bytes);
  base::Status Sync();

  Device* device() const { return device_; }

 private:
  Device* device_ = nullptr;
  sy_queue* handle_ = nullptr;
  Buffer workspace_;
};

}  // namespace switchyard::device
