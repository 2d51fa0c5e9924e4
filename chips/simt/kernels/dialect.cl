// The dialect in which every kernel of this folder is written: C with the few macros below, and no
// vectors, half type, sub-groups, templates or library functions. The same text compiles as OpenCL C
// 1.2, as CUDA and HIP (by their own compilers or by clang without either kit), and as C++ for the
// emulator of chips/simt/emulator.
//
// The host gives, by -D or by a line before the text:
//   LANES          work-items of a work-group, a power of two
//   WEIGHT_FORMAT  the sy_dtype of the weight, for kernels that read one
//   ROWS_OF_LANE   outputs that a work-item makes, for the same kernels; a power of two up to 32
//   FAST_FMA       1 where a fused multiply-add costs no more than a multiplication
//
// All kernels use one-dimensional work-groups of LANES work-items in a grid of two dimensions. Each
// buffer is a pair of arguments: its memory, and the byte at which the operand begins there.
#if defined(__OPENCL_VERSION__)

#pragma OPENCL FP_CONTRACT OFF
typedef char i8;
typedef uchar u8;
typedef ushort u16;
typedef int i32;
typedef uint u32;
typedef long i64;
typedef ulong u64;
#define KERNEL __kernel __attribute__((reqd_work_group_size(LANES, 1, 1)))
#define DEVICE static
#define GLOBAL __global
#define LOCAL __local
#define TABLE __constant
#define LOCAL_ARRAY(type, name, count) __local type name[count]
#define BARRIER() barrier(CLK_LOCAL_MEM_FENCE)
#define LANE() ((i32)get_local_id(0))
#define GROUP_X() ((i64)get_group_id(0))
#define GROUP_Y() ((i64)get_group_id(1))
#define FLOAT_OF_BITS(bits) as_float(bits)
#define BITS_OF_FLOAT(value) as_uint(value)
#define FMA(a, b, c) fma(a, b, c)
#define SQRT(x) sqrt(x)

#elif defined(__CUDA__) || defined(__CUDACC__) || defined(__HIP__)

typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef int i32;
typedef unsigned int u32;
typedef long long i64;
typedef unsigned long long u64;
// Clang alone, without either kit's headers; first for HIP, then for CUDA.
#if defined(__HIP__) && !defined(__HIPCC_RTC__)
#define KERNEL extern "C" __attribute__((global))
#define DEVICE static __attribute__((device))
#define LOCAL_ARRAY(type, name, count) static __attribute__((shared)) type name[count]
#define TABLE static __attribute__((constant)) const
#define BARRIER()                                        \
  do {                                                   \
    __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup"); \
    __builtin_amdgcn_s_barrier();                        \
    __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup"); \
  } while (0)
#define LANE() ((i32)__builtin_amdgcn_workitem_id_x())
#define GROUP_X() ((i64)__builtin_amdgcn_workgroup_id_x())
#define GROUP_Y() ((i64)__builtin_amdgcn_workgroup_id_y())
#define FLOAT_OF_BITS(bits) __builtin_bit_cast(float, (u32)(bits))
#define BITS_OF_FLOAT(value) __builtin_bit_cast(u32, (float)(value))
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define SQRT(x) __builtin_sqrtf(x)
#elif defined(__clang__) && !defined(__HIP__)
#define KERNEL extern "C" __attribute__((global))
#define DEVICE static __attribute__((device))
#define LOCAL_ARRAY(type, name, count) static __attribute__((shared)) type name[count]
#define TABLE static __attribute__((constant)) const
#define BARRIER() __syncthreads()
#define LANE() ((i32)__nvvm_read_ptx_sreg_tid_x())
#define GROUP_X() ((i64)__nvvm_read_ptx_sreg_ctaid_x())
#define GROUP_Y() ((i64)__nvvm_read_ptx_sreg_ctaid_y())
#define FLOAT_OF_BITS(bits) __builtin_bit_cast(float, (u32)(bits))
#define BITS_OF_FLOAT(value) __builtin_bit_cast(u32, (float)(value))
#define FMA(a, b, c) __builtin_fmaf(a, b, c)
#define SQRT(x) __builtin_sqrtf(x)
#else  // run-time compilers, which know CUDA's names without headers
#define KERNEL extern "C" __global__
#define DEVICE static __device__
#define LOCAL_ARRAY(type, name, count) __shared__ type name[count]
#define TABLE static __constant__ const
#define BARRIER() __syncthreads()
#define LANE() ((i32)threadIdx.x)
#define GROUP_X() ((i64)blockIdx.x)
#define GROUP_Y() ((i64)blockIdx.y)
#define FLOAT_OF_BITS(bits) __uint_as_float(bits)
#define BITS_OF_FLOAT(value) __float_as_uint(value)
#define FMA(a, b, c) fmaf(a, b, c)
#define SQRT(x) sqrtf(x)
#endif
#define GLOBAL
#define LOCAL

#else
// C++: chips/simt/emulator/dialect_on_host.h has defined all of the above.
#endif

// A sum's bits must not depend on which kernel forms it, so contraction is never the compiler's
// choice: it is off, and asked for here.
#if FAST_FMA
#define MULTIPLY_ADD(a, b, c) FMA(a, b, c)
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif
