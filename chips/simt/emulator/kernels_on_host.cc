// The kernels as C++, for work-groups of SIMT_WIDTH work-items. Their dialect is C's, so what our
// C++ is warned of does not count here.
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpedantic"
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#else
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <bit>
#include <cmath>
#include <cstring>
#include <tuple>

#include "../parameters_on_host.h"
#include "emulator.h"
#include "fibers.h"

#define LANES SIMT_WIDTH
#define ROWS_OF_LANE (emulator::RowsOfLane(SIMT_WIDTH))
#define WEIGHT_FORMAT (emulator::WeightFormat())
#define FAST_FMA 1
#define KERNEL static
#define DEVICE static
#define GLOBAL
#define LOCAL
#define TABLE static const
#define LOCAL_ARRAY(type, name, count)                                              \
  static thread_local constinit emulator::LocalMemory<type, (count)> name##_memory; \
  type* const name = name##_memory.Enter()
#define BARRIER() emulator::Barrier(__FILE__, __LINE__)
#define LANE() emulator::Lane()
#define GROUP_X() emulator::GroupX()
#define GROUP_Y() emulator::GroupY()
#define FLOAT_OF_BITS(bits) std::bit_cast<float>(static_cast<u32>(bits))
#define BITS_OF_FLOAT(value) std::bit_cast<u32>(static_cast<float>(value))
#define FMA(a, b, c) std::fma(a, b, c)
#define SQRT(x) std::sqrt(x)

#define SIMT_JOIN_INNER(a, b) a##b
#define SIMT_JOIN(a, b) SIMT_JOIN_INNER(a, b)

namespace switchyard::simt {
namespace SIMT_JOIN(width_, SIMT_WIDTH) {
namespace {

using i8 = std::int8_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

// In the order of kernel_text.cc.in.
// clang-format off
#include "../kernels/dialect.cl"
#include "../kernels/numbers.cl"
#include "../kernels/rows.cl"
#include "../kernels/selection.cl"
#include "../kernels/attention.cl"
#include "../kernels/blocks.cl"
// clang-format on
#define LINEAR linear_1
#define TOKENS 1
#define IS_GROUPED 0
#include "../kernels/linear.cl"
#undef LINEAR
#undef TOKENS
#undef IS_GROUPED
#define LINEAR linear_8
#define TOKENS 8
#define IS_GROUPED 0
#include "../kernels/linear.cl"
#undef LINEAR
#undef TOKENS
#undef IS_GROUPED
#define LINEAR grouped_linear
#define TOKENS 1
#define IS_GROUPED 1
#include "../kernels/linear.cl"
#undef LINEAR
#undef TOKENS
#undef IS_GROUPED

template <auto kKernel>
struct Bind;

template <typename... T, void (*kKernel)(T...)>
struct Bind<kKernel> {
  static std::function<void()> To(const Launch& launch, const std::vector<std::byte*>& addresses) {
    emulator::Arguments arguments(launch, addresses);
    return [bound = std::tuple<T...>{arguments.Next<T>()...}] { std::apply(kKernel, bound); };
  }
};

}  // namespace
}  // namespace SIMT_JOIN(width_,SIMT_WIDTH)

namespace emulator {

// In the order of Kernel.
const Binder* SIMT_JOIN(KernelsOfWidth, SIMT_WIDTH)() {
  using namespace SIMT_JOIN(width_, SIMT_WIDTH);  // the kernels, which every line below names
  static constexpr Binder kKernels[] = {
      Bind<&elementwise>::To,   Bind<&rms_norm>::To,  Bind<&copy_rows>::To, Bind<&rope>::To,
      Bind<&kv_store>::To,      Bind<&combine>::To,   Bind<&top_k>::To,     Bind<&router_top_k>::To,
      Bind<&attention>::To,     Bind<&embedding>::To, Bind<&linear_1>::To,  Bind<&linear_8>::To,
      Bind<&grouped_linear>::To};
  static_assert(std::size(kKernels) == static_cast<std::size_t>(Kernel::kCount));
  return kKernels;
}

}  // namespace emulator
}  // namespace switchyard::simt
