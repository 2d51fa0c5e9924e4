// The memory of this machine, for chips whose devices live in it. Pure but for what it asks the
// system; safe from any thread.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace switchyard::chips {

inline std::uint64_t MachineMemoryBytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// What could be had now: MemAvailable counts memory that the kernel can take back from its caches,
// as proc(5) says, and _SC_AVPHYS_PAGES does not.
inline std::uint64_t MachineMemoryAvailableBytes() {
  std::ifstream file("/proc/meminfo");
  std::string word;
  while (file >> word) {
    std::uint64_t kib = 0;
    if (word == "MemAvailable:" && file >> kib) return kib * 1024;
  }
  return static_cast<std::uint64_t>(::sysconf(_SC_AVPHYS_PAGES)) *
         static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace switchyard::chips
