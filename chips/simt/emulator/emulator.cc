#include "emulator.h"

#include "fibers.h"

namespace switchyard::simt::emulator {

std::uint32_t& WeightFormat() {
  thread_local std::uint32_t format = SY_F32;
  return format;
}

base::Status RunLaunch(const Launch& launch, const std::vector<std::byte*>& addresses,
                       std::int32_t width) {
  const Binder* kernels = width == 8    ? KernelsOfWidth8()
                          : width == 32 ? KernelsOfWidth32()
                                        : KernelsOfWidth64();
  WeightFormat() = launch.format;
  const Grid grid = {static_cast<std::int64_t>(launch.groups_x),
                     static_cast<std::int64_t>(launch.groups_y), width};
  return RunGrid(grid, kernels[static_cast<std::size_t>(launch.kernel)](launch, addresses));
}

}  // namespace switchyard::simt::emulator
