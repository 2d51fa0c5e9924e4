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
// Bytes of 0xff, NaN to floats, until the group's end.
void* NewLocalMemory(std::size_t bytes);
// Between the two, work-items see what those before them did there, without any barrier.
void BeginEntry(void* memory);
void EndEntry(void* memory);

// Local memory of `kCount` elements: on the heap, where ASan sees its ends, and new for each group.
// A variable of the kernel's thread, which is no fiber's own, so it must need no construction.
template <typename T, std::size_t kCount>
struct LocalMemory {
  T* elements = nullptr;
  std::uint64_t group = 0;

  T* Enter() {
    BeginEntry(this);
    if (group != GroupNumber()) {
      group = GroupNumber();
      elements = static_cast<T*>(NewLocalMemory(sizeof(T) * kCount));
    }
    T* const entered = elements;
    EndEntry(this);
    return entered;
  }
};

}  // namespace switchyard::simt::emulator
