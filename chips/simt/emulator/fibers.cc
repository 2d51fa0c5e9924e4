#include "fibers.h"

#include <ucontext.h>

#include <cstring>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SWITCHYARD_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define SWITCHYARD_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SWITCHYARD_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define SWITCHYARD_TSAN 1
#endif

#if SWITCHYARD_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if SWITCHYARD_TSAN
#include <sanitizer/tsan_interface.h>
// The turns that fibers take are not the kernel's affair, and would order what it does not order.
#define SWITCHYARD_UNWATCHED __attribute__((no_sanitize("thread")))
#else
#define SWITCHYARD_UNWATCHED
#endif

namespace switchyard::simt::emulator {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::size_t kStackBytes = std::size_t{256} << 10;

struct Fiber {
  ucontext_t context{};
  std::unique_ptr<std::byte[]> stack{new std::byte[kStackBytes]};
  bool is_done = false;
  const char* file = nullptr;  // of the barrier where it waits
  int line = 0;
#if SWITCHYARD_ASAN
  void* fake_stack = nullptr;
#endif
#if SWITCHYARD_TSAN
  void* tsan = nullptr;
#endif
};

struct Group {
  std::vector<Fiber> fibers;
  ucontext_t host{};
  std::vector<std::unique_ptr<std::byte[]>> local_memory;
  const std::function<void()>* work_item = nullptr;
  std::size_t running = 0;
  std::int64_t x = 0;
  std::int64_t y = 0;
  // Points that barriers order by: all arrive before the next round starts. Two, as with one a
  // work-item would be ordered after those that took their turn before it in the same round.
  char started = 0;
  char arrived = 0;
#if SWITCHYARD_ASAN
  void* host_fake_stack = nullptr;
  const void* host_stack = nullptr;
  std::size_t host_stack_bytes = 0;
#endif
#if SWITCHYARD_TSAN
  void* host_tsan = nullptr;
#endif
};

thread_local Group* current = nullptr;
thread_local std::uint64_t group_number = 0;

// To TSan, a switch alone orders nothing; what barriers order is said here.
void Release([[maybe_unused]] void* point) {
#if SWITCHYARD_TSAN
  __tsan_release(point);
#endif
}
void Acquire([[maybe_unused]] void* point) {
#if SWITCHYARD_TSAN
  __tsan_acquire(point);
#endif
}

SWITCHYARD_UNWATCHED void SwitchToHost(Group& group, Fiber& fiber) {
  Release(&group.arrived);
#if SWITCHYARD_ASAN
  __sanitizer_start_switch_fiber(fiber.is_done ? nullptr : &fiber.fake_stack, group.host_stack,
                                 group.host_stack_bytes);
#endif
#if SWITCHYARD_TSAN
  __tsan_switch_to_fiber(group.host_tsan, __tsan_switch_to_fiber_no_sync);
#endif
  ::swapcontext(&fiber.context, &group.host);
#if SWITCHYARD_ASAN
  __sanitizer_finish_switch_fiber(fiber.fake_stack, &group.host_stack, &group.host_stack_bytes);
#endif
  Acquire(&group.started);
}

SWITCHYARD_UNWATCHED void Enter() {
  Group& group = *current;
  Fiber& fiber = group.fibers[group.running];
#if SWITCHYARD_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &group.host_stack, &group.host_stack_bytes);
#endif
  Acquire(&group.started);
  (*group.work_item)();
  fiber.is_done = true;
  SwitchToHost(group, fiber);
}

SWITCHYARD_UNWATCHED void Resume(Group& group, std::size_t index) {
  Fiber& fiber = group.fibers[index];
  group.running = index;
#if SWITCHYARD_ASAN
  __sanitizer_start_switch_fiber(&group.host_fake_stack, fiber.stack.get(), kStackBytes);
#endif
#if SWITCHYARD_TSAN
  __tsan_switch_to_fiber(fiber.tsan, __tsan_switch_to_fiber_no_sync);
#endif
  ::swapcontext(&group.host, &fiber.context);
#if SWITCHYARD_ASAN
  __sanitizer_finish_switch_fiber(group.host_fake_stack, nullptr, nullptr);
#endif
}

SWITCHYARD_UNWATCHED void Start(Fiber& fiber) {
  fiber.is_done = false;
  fiber.file = nullptr;
  fiber.line = 0;
  ::getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = fiber.stack.get();
  fiber.context.uc_stack.ss_size = kStackBytes;
  fiber.context.uc_link = nullptr;
  ::makecontext(&fiber.context, &Enter, 0);
#if SWITCHYARD_TSAN
  fiber.tsan = __tsan_create_fiber(0);
#endif
}

// Each round takes every work-item from one barrier to the next, in an order that changes, so that
// an order which happens to be right does not hide a barrier that is missing.
SWITCHYARD_UNWATCHED base::Status RunGroup(Group& group) {
  group.local_memory.clear();
  for (Fiber& fiber : group.fibers) Start(fiber);
  const std::size_t lanes = group.fibers.size();
  for (std::size_t round = 0;; ++round) {
    // What the host and all work-items did before this round comes before it.
    Release(&group.started);
    for (std::size_t i = 0; i < lanes; ++i) {
      Resume(group, round % 2 == 0 ? i : lanes - 1 - i);
    }
    Acquire(&group.arrived);
    const Fiber& first = group.fibers.front();
    for (std::size_t i = 1; i < lanes; ++i) {
      const Fiber& fiber = group.fibers[i];
      if (fiber.is_done == first.is_done &&
          (fiber.is_done || (fiber.file == first.file && fiber.line == first.line))) {
        continue;
      }
      return Fail(ErrorCode::kInternal,
                  "work-items of group {}, {} part ways: 0 {} line {}, {} {} line {}", group.x,
                  group.y, first.is_done ? "has ended after" : "is at the barrier of", first.line,
                  i, fiber.is_done ? "has ended after" : "is at the barrier of", fiber.line);
    }
    if (first.is_done) return {};
  }
}

}  // namespace

SWITCHYARD_UNWATCHED base::Status RunGrid(const Grid& grid,
                                          const std::function<void()>& work_item) {
  Group group;
  group.fibers.resize(static_cast<std::size_t>(grid.lanes));
  group.work_item = &work_item;
#if SWITCHYARD_TSAN
  group.host_tsan = __tsan_get_current_fiber();
#endif
  current = &group;
  base::Status status;
  for (group.y = 0; group.y < grid.groups_y && status; ++group.y) {
    for (group.x = 0; group.x < grid.groups_x && status; ++group.x) {
      ++group_number;
      status = RunGroup(group);
#if SWITCHYARD_TSAN
      for (Fiber& fiber : group.fibers) __tsan_destroy_fiber(fiber.tsan);
#endif
    }
  }
  current = nullptr;
  return status;
}

SWITCHYARD_UNWATCHED std::int32_t Lane() { return static_cast<std::int32_t>(current->running); }
SWITCHYARD_UNWATCHED std::int64_t GroupX() { return current->x; }
SWITCHYARD_UNWATCHED std::int64_t GroupY() { return current->y; }
SWITCHYARD_UNWATCHED std::uint64_t GroupNumber() { return group_number; }

SWITCHYARD_UNWATCHED void Barrier(const char* file, int line) {
  Group& group = *current;
  Fiber& fiber = group.fibers[group.running];
  fiber.file = file;
  fiber.line = line;
  SwitchToHost(group, fiber);
}

SWITCHYARD_UNWATCHED void* NewLocalMemory(std::size_t bytes) {
  std::vector<std::unique_ptr<std::byte[]>>& memory = current->local_memory;
  memory.emplace_back(new std::byte[bytes]);
  std::memset(memory.back().get(), 0xff, bytes);
  return memory.back().get();
}

void BeginEntry(void* memory) { Acquire(memory); }
void EndEntry(void* memory) { Release(memory); }

}  // namespace switchyard::simt::emulator
