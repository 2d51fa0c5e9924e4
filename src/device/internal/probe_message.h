// What switchyard_probe writes to its standard output, read by Probe(): the header, then either
// `count` sy_device_properties or `count` bytes of a sentence that says what failed.
#pragma once

#include <cstdint>

namespace switchyard::device::internal {

struct ProbeHeader {
  static constexpr std::uint32_t kMagic = 0x53595042;  // also catches plugins that print
  std::uint32_t magic = kMagic;
  std::uint32_t failed = 0;
  std::uint32_t count = 0;
};

inline constexpr std::uint32_t kMaxDevices = 1024;
inline constexpr std::uint32_t kMaxSentence = 4096;

}  // namespace switchyard::device::internal
