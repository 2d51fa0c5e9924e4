#include "memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace switchyard::cpu {
namespace {

constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;
constexpr std::uint64_t kSlabBytes = 16 * kHugePage;

std::uint64_t PagesOf(int name) {
  const long pages = sysconf(name);
  const long page_bytes = sysconf(_SC_PAGESIZE);
  if (pages < 0 || page_bytes < 0) return 0;
  return static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes);
}

}  // namespace

Memory::~Memory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(slab_, other.slab_);
  return *this;
}

Result<Memory> Memory::Allocate(std::uint64_t bytes) {
  // The kernel would promise more than the machine has and kill us when we use it.
  if (bytes > PhysicalMemoryBytes()) {
    return Fail(SY_RESOURCE_EXHAUSTED, "%llu bytes of memory are more than this machine has (%llu)",
                static_cast<unsigned long long>(bytes),
                static_cast<unsigned long long>(PhysicalMemoryBytes()));
  }
  // Nor may it take the last of it; asking takes some 20 us, which large memory is worth.
  if (bytes >= kSlabBytes) {
    const std::uint64_t available = AvailableMemoryBytes();
    if (bytes > available) {
      return Fail(SY_RESOURCE_EXHAUSTED, "%llu bytes were asked for, but only %llu are free",
                  static_cast<unsigned long long>(bytes),
                  static_cast<unsigned long long>(available));
    }
  }
  Memory memory;
  const bool is_large = bytes >= kHugePage;
  memory.mapped_bytes_ = is_large ? bytes + kHugePage : bytes + kAlignment;
  void* mapping = mmap(nullptr, memory.mapped_bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    return Fail(SY_RESOURCE_EXHAUSTED, "the system has no %llu bytes of memory left for us",
                static_cast<unsigned long long>(bytes));
  }
  memory.mapping_ = mapping;
  memory.size_ = bytes;
  memory.data_ = static_cast<char*>(mapping);
  if (is_large) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapping);
    memory.data_ += (kHugePage - address % kHugePage) % kHugePage;
#if defined(MADV_HUGEPAGE)
    madvise(memory.data_, bytes, MADV_HUGEPAGE);  // a wish; slower without, not wrong
#endif
  }
  return memory;
}

Result<Memory> MemoryPool::Allocate(std::uint64_t bytes) {
  if (bytes > kSlabBytes / 4) return Memory::Allocate(bytes);
  const std::lock_guard lock(mutex_);
  if (slab_ == nullptr || used_ + bytes > slab_->size()) {
    auto slab = Memory::Allocate(kSlabBytes);
    if (!slab) return std::unexpected(slab.error());
    slab_ = std::make_shared<const Memory>(std::move(*slab));
    used_ = 0;
  }
  Memory memory;
  memory.data_ = slab_->data() + used_;
  memory.size_ = bytes;
  memory.slab_ = slab_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  return memory;
}

std::uint64_t PhysicalMemoryBytes() { return PagesOf(_SC_PHYS_PAGES); }

std::uint64_t AvailableMemoryBytes() {
  // MemAvailable counts caches that the kernel would give up; _SC_AVPHYS_PAGES does not.
  std::FILE* file = std::fopen("/proc/meminfo", "r");
  if (file != nullptr) {
    char line[128];
    unsigned long long kilobytes = 0;
    bool is_found = false;
    while (!is_found && std::fgets(line, sizeof(line), file) != nullptr) {
      is_found = std::sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1;
    }
    std::fclose(file);
    if (is_found) return kilobytes * 1024;
  }
  return PagesOf(_SC_AVPHYS_PAGES);
}

}  // namespace switchyard::cpu
