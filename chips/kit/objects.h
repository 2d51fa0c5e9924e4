// The objects behind the interface's handles, for chips made with the kit. What is made from a
// device dies before it.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "kit/device.h"
#include "kit/temporary_placement.h"

namespace switchyard::chips {

// Device memory that is given back at the end.
class Memory {
 public:
  Memory() = default;
  // Fails with SY_RESOURCE_EXHAUSTED beyond what the device has.
  Memory(sy_device& owner, std::uint64_t bytes);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory();

  Address address() const { return address_; }  // 0 of no bytes
  std::uint64_t bytes() const { return bytes_; }

 private:
  Device* owner_ = nullptr;
  Address address_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace switchyard::chips

struct sy_device {
  sy_device_properties properties{};
  std::unique_ptr<switchyard::chips::Device> device;
  std::atomic<bool> is_lost = false;
  // For weights, which are uploaded while they are made.
  std::mutex upload_mutex;
  std::unique_ptr<switchyard::chips::Queue> upload_queue;
};

struct sy_buffer {
  sy_device* device;
  switchyard::chips::Memory memory;
};

struct sy_queue {
  sy_device* device;
  std::unique_ptr<switchyard::chips::Queue> queue;
};

struct sy_event {
  sy_device* device;
  std::unique_ptr<switchyard::chips::Event> event;
};

struct sy_weight {
  sy_weight(sy_device* owner, const sy_weight_desc& given);

  sy_device* device;
  sy_weight_desc desc;  // its `data` is not kept
  switchyard::chips::PreparedWeight prepared;
  std::string layout;
  std::unique_ptr<switchyard::chips::Memory> memory;
};

struct sy_program {
  // Fails with SY_UNIMPLEMENTED, saying why, for what the device does not run.
  sy_program(sy_device* owner, const sy_program_desc& desc);
  void Run(const std::vector<sy_binding>& bindings, const sy_buffer* workspace,
           std::uint64_t workspace_offset, switchyard::chips::Queue& queue) const;

  sy_device* device;
  std::vector<sy_tensor> tensors;
  std::vector<sy_op> ops;
  std::uint32_t slot_count;
  switchyard::chips::TemporaryPlacement placement;
  std::uint64_t workspace_bytes = 0;  // the temporaries, then what one operation may need more

 private:
  switchyard::chips::Address AddressOfSlot(const sy_tensor& tensor,
                                           const std::vector<sy_binding>& bindings) const;
};
