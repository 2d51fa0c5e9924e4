#include "variants.h"

namespace switchyard::cpu {

#define SWITCHYARD_CPU_DECLARE(isa) \
  namespace isa {                   \
  const KernelTable* Kernels();     \
  }
SWITCHYARD_CPU_DECLARE(portable)
#if defined(__x86_64__)
SWITCHYARD_CPU_DECLARE(x86_64_v2)
SWITCHYARD_CPU_DECLARE(avx2)
SWITCHYARD_CPU_DECLARE(avx512)
SWITCHYARD_CPU_DECLARE(avx512_vnni)
SWITCHYARD_CPU_DECLARE(avx512_bf16)
#endif
#undef SWITCHYARD_CPU_DECLARE

namespace {

#if defined(__x86_64__)
bool HasV2() {
  return __builtin_cpu_supports("ssse3") != 0 && __builtin_cpu_supports("sse4.2") != 0 &&
         __builtin_cpu_supports("popcnt") != 0;
}
bool HasAvx2() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("f16c") != 0;
}
bool HasAvx512() {
  return HasAvx2() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
         __builtin_cpu_supports("avx512dq") != 0;
}
bool HasAvx512Vnni() { return HasAvx512() && __builtin_cpu_supports("avx512vnni") != 0; }
bool HasAvx512Bf16() { return HasAvx512Vnni() && __builtin_cpu_supports("avx512bf16") != 0; }
#endif

constexpr Variant kVariants[] = {
#if defined(__x86_64__)
    {"avx512_bf16", avx512_bf16::Kernels, HasAvx512Bf16},
    {"avx512_vnni", avx512_vnni::Kernels, HasAvx512Vnni},
    {"avx512", avx512::Kernels, HasAvx512},
    {"avx2", avx2::Kernels, HasAvx2},
    {"x86_64_v2", x86_64_v2::Kernels, HasV2},
#endif
    {"portable", portable::Kernels, [] { return true; }},
};

}  // namespace

std::span<const Variant> Variants() { return kVariants; }

const Variant* FindVariant(std::string_view name) {
  for (const Variant& variant : kVariants) {
    if (name == variant.name && variant.is_supported()) return &variant;
  }
  return nullptr;
}

const Variant& BestVariant() {
  for (const Variant& variant : kVariants) {
    if (variant.is_supported()) return variant;
  }
  return kVariants[0];
}

}  // namespace switchyard::cpu
