// Runs a plan's kernels on the host, compiled from the same text as for any device. For tests.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "../plan.h"
#include "base/error.h"

namespace switchyard::simt::emulator {

// Work-groups of 8, 32 or 64 work-items.
inline constexpr std::int32_t kWidths[] = {8, 32, 64};
// ROWS_OF_LANE of each.
constexpr std::int32_t RowsOfLane(std::int32_t width) { return width == 8 ? 2 : 1; }

// Runs one launch; `addresses` are its places, in order.
base::Status RunLaunch(const Launch& launch, const std::vector<std::byte*>& addresses,
                       std::int32_t width);

// A kernel's arguments, taken one after the other in the order of its signature.
class Arguments {
 public:
  Arguments(const Launch& launch, const std::vector<std::byte*>& addresses)
      : launch_(&launch), addresses_(&addresses) {}

  template <typename T>
  T Next() {
    if constexpr (std::is_pointer_v<T>) {
      return reinterpret_cast<T>((*addresses_)[at_]);
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
      ++at_;
      return 0;  // the address says it all
    } else {
      T parameters;
      SWITCHYARD_CHECK(sizeof parameters == launch_->parameters.size());
      std::memcpy(&parameters, launch_->parameters.data(), sizeof parameters);
      return parameters;
    }
  }

 private:
  const Launch* launch_;
  const std::vector<std::byte*>* addresses_;
  std::size_t at_ = 0;
};

// Binds a kernel to its arguments.
using Binder = std::function<void()> (*)(const Launch&, const std::vector<std::byte*>&);

// The weight format that kernels of this thread read.
std::uint32_t& WeightFormat();

// The kernels compiled for each width, by Kernel.
const Binder* KernelsOfWidth8();
const Binder* KernelsOfWidth32();
const Binder* KernelsOfWidth64();

}  // namespace switchyard::simt::emulator
