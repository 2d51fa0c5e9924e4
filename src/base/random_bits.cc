#include "base/random_bits.h"

#include <random>

namespace switchyard::base {

std::uint64_t RandomBits() {
  thread_local std::random_device device;
  return std::uint64_t{device()} << 32U | device();
}

}  // namespace switchyard::base
