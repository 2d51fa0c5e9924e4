// Runs one kernel as a SIMT device would, on the host: each work-item is a fiber, the work-items of
// a group take turns from barrier to barrier, groups run one after the other. A barrier that not
// all work-items of a group reach is an error; so is memory that is touched out of turn, where ASan
// and TSan look on (each fiber is a thread of its own to TSan). Slow; for tests.
//
// One launch at a time in each thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"

namespace switchyard::simt::emulator {

struct Grid {
  std::int64_t groups_x = 1;
  std::int64_t groups_y = 1;
  std::int32_t lanes = 1;
};

// `work_item` is the kernel's body with its arguments bound.
base::Status RunGrid(const Grid& grid, const std::function<void()>& work_item);

// For the running work-item.
std::int32_t Lane();
std::int64_t GroupX();
std::int64_t GroupY();
void Barrier(const char* file, int line);

// Counts work-groups, so that local memory can tell a new one.
std::uint64_t GroupNumber();
// What one work-item wrote before it entered, those that enter after it see.
void OrderEntry(void* memory);

// Local memory of `kCount` elements. Its bytes are 0xff at the start of each group: NaN to floats.
template <typename T, std::size_t kCount>
class LocalMemory {
 public:
  T* Enter() {
    if (group_ != GroupNumber()) {
      group_ = GroupNumber();
      elements_.reset(static_cast<T*>(::operator new(sizeof(T) * kCount)));
      auto* const bytes = reinterpret_cast<unsigned char*>(elements_.get());
      for (std::size_t i = 0; i < sizeof(T) * kCount; ++i) bytes[i] = 0xff;
    }
    OrderEntry(this);
    return elements_.get();
  }

 private:
  struct Free {
    void operator()(T* elements) const { ::operator delete(elements); }
  };
  std::unique_ptr<T, Free> elements_;  // on the heap, where ASan sees its ends
  std::uint64_t group_ = 0;
};

}  // namespace switchyard::simt::emulator
