#include "base/random_bits.h"

#include <random>

namespace switchyard::base {

std::uint64_t RandomBits() {
  // Only its seed is asked of the machine, which takes its time.
  thread_local std::mt19937_64 numbers = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device(), device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return numbers();
}

}  // namespace switchyard::base
