// Memory for weights and buffers: 64-byte aligned, in huge pages where it is large, freed by its
// owner. Movable; from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "status.h"

namespace switchyard::cpu {

inline constexpr std::uint64_t kAlignment = 64;

class Memory {
 public:
  Memory() = default;
  ~Memory();
  Memory(Memory&& other) noexcept { *this = static_cast<Memory&&>(other); }
  Memory& operator=(Memory&& other) noexcept;

  static Result<Memory> Allocate(std::uint64_t bytes);

  char* data() const { return data_; }
  std::uint64_t size() const { return size_; }

 private:
  char* data_ = nullptr;
  std::uint64_t size_ = 0;
  std::uint64_t mapped_bytes_ = 0;
  void* mapping_ = nullptr;
  std::shared_ptr<const Memory> slab_;  // shared by all that MemoryPool cut from it

  friend class MemoryPool;
};

// Cuts small memory from large slabs, so that a model's many small weights lie in huge pages too:
// with a page table walk every 4 KiB, decoding reaches a third of the memory's speed. What is cut
// keeps its slab alive; the pool never reuses what was freed. From any thread.
class MemoryPool {
 public:
  Result<Memory> Allocate(std::uint64_t bytes);

 private:
  std::mutex mutex_;
  std::shared_ptr<const Memory> slab_;
  std::uint64_t used_ = 0;  // of slab_
};

std::uint64_t PhysicalMemoryBytes();
std::uint64_t AvailableMemoryBytes();

}  // namespace switchyard::cpu
