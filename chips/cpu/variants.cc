#include "variants.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
SWITCHYARD_CPU_DECLARE(avx512_amx)
#if defined(SWITCHYARD_CPU_EMULATED_TILES)
SWITCHYARD_CPU_DECLARE(avx512_amx_emulated)
#endif
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

// By CPUID itself, whose bits for tiles __builtin_cpu_supports knows only in later compilers.
bool HasTileRegisters() {
  constexpr unsigned kNeeded = 1U << 22 | 1U << 24 | 1U << 25;  // AMX-BF16, AMX-TILE, AMX-INT8
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx & kNeeded) == kNeeded;
}

// The registers are large, so Linux lets a process use them only once it has asked (from 5.16 on;
// Documentation/arch/x86/xstate.rst). It refuses where a thread has a stack for signals that they
// would not fit on. The answer holds for all threads, those to come included.
bool MayUseTileRegisters() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileRegisters = 18;          // the component of XSAVE's state
  return syscall(SYS_arch_prctl, kRequestPermission, kTileRegisters) == 0;
#else
  return false;
#endif
}

bool HasAvx512Amx() {
  static const bool has = HasAvx512Bf16() && HasTileRegisters() && MayUseTileRegisters();
  return has;
}
#endif

constexpr Variant kVariants[] = {
#if defined(__x86_64__)
    {"avx512_amx", avx512_amx::Kernels, HasAvx512Amx, SY_PROOF_RUN_ON_SILICON},
    {"avx512_bf16", avx512_bf16::Kernels, HasAvx512Bf16, SY_PROOF_RUN_ON_SILICON},
    {"avx512_vnni", avx512_vnni::Kernels, HasAvx512Vnni, SY_PROOF_RUN_ON_SILICON},
    {"avx512", avx512::Kernels, HasAvx512, SY_PROOF_RUN_ON_SILICON},
    {"avx2", avx2::Kernels, HasAvx2, SY_PROOF_RUN_ON_SILICON},
    {"x86_64_v2", x86_64_v2::Kernels, HasV2, SY_PROOF_RUN_ON_SILICON},
#endif
    {"portable", portable::Kernels, [] { return true; }, SY_PROOF_RUN_ON_SILICON},
#if defined(__x86_64__) && defined(SWITCHYARD_CPU_EMULATED_TILES)
    // For tests, which name it: last, so that no device has it unasked.
    {"avx512_amx_emulated", avx512_amx_emulated::Kernels, HasAvx512Bf16, SY_PROOF_RUN_ON_EMULATOR},
#endif
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
