// Memory for weights and buffers: 64-byte aligned, in huge pages where it is large, freed by its
// owner. Movable; from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

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
};

std::uint64_t PhysicalMemoryBytes();
std::uint64_t AvailableMemoryBytes();

}  // namespace switchyard::cpu
