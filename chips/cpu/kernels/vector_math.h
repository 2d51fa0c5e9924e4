// exp, tanh and the Gaussian's distribution function on vectors, to about one unit in the seventh
// digit, with NaN kept. The polynomials are least-maximum fits made for these ranges.
#pragma once

#include "simd.h"

namespace switchyard::cpu::SWITCHYARD_CPU_ISA {

// exp(x) = 2^n * exp(r), |r| <= ln(2) / 2. exp(0) is exactly 1 and exp(-inf) exactly 0.
SY_INLINE Float Exp(Float x) {
  const Float bounded = Max(Min(x, Set(89.0F)), Set(-104.0F));
  const Int n = Round(bounded * 1.44269504F);
  const Float nf = ToFloat(n);
  Float r = Fma(nf, Set(-0.693145751953125F), bounded);  // ln 2 in two parts, the first exact
  r = Fma(nf, Set(-1.42860682030941723212e-6F), r);
  Float p = Set(1.395048622e-3F);
  p = Fma(p, r, Set(8.368887863e-3F));
  p = Fma(p, r, Set(4.166620587e-2F));
  p = Fma(p, r, Set(1.666651885e-1F));
  p = Fma(p, r, Set(0.5F));
  p = Fma(p * r, r, r) + 1.0F;
  // 2^n in two factors, since n may be 128 or below -126.
  const Int half = n >> 1;
  const Float y = p * AsFloat((half + 127) << 23) * AsFloat((n - half + 127) << 23);
  return x == x ? (x < -103.9F ? Set(0.0F) : y) : x;
}

SY_INLINE Float Tanh(Float x) {
  const Float a = Abs(x);
  const Float u = x * x;
  Float p = Set(-5.603905454e-3F);
  p = Fma(p, u, Set(2.055171065e-2F));
  p = Fma(p, u, Set(-5.371410423e-2F));
  p = Fma(p, u, Set(1.333115276e-1F));
  p = Fma(p, u, Set(-3.333327208e-1F));
  const Float small = Fma(p * u, x, x);
  const Float e = Exp(a * 2.0F);
  const Float large = 1.0F - 2.0F / (e + 1.0F);
  const Float signed_large = AsFloat(AsInt(large) | (AsInt(x) & SetInt(INT32_MIN)));
  const Float y = a < 0.625F ? small : signed_large;
  return x == x ? y : x;
}

// P(N(0, 1) < x) = erfc(-x / sqrt(2)) / 2.
SY_INLINE Float NormalCdf(Float x) {
  const Float z = x * 0.70710678F;
  const Float a = Abs(z);
  const Float u = z * z;
  Float p = Set(7.889119527e-05F);
  p = Fma(p, u, Set(-8.020841278e-04F));
  p = Fma(p, u, Set(5.189535339e-03F));
  p = Fma(p, u, Set(-2.685444459e-02F));
  p = Fma(p, u, Set(1.128360018e-01F));
  p = Fma(p, u, Set(-3.761262714e-01F));
  p = Fma(p, u, Set(1.128379166F));
  const Float middle = Fma(p * z, Set(0.5F), Set(0.5F));
  const Float t = 1.0F / Fma(a, Set(0.5F), Set(1.0F));
  Float q = Set(9.261032731e-02F);
  q = Fma(q, t, Set(-2.236790332e-01F));
  q = Fma(q, t, Set(7.930057696e-02F));
  q = Fma(q, t, Set(6.308641881e-02F));
  q = Fma(q, t, Set(1.779831209e-01F));
  q = Fma(q, t, Set(2.471405513e-01F));
  q = Fma(q, t, Set(2.820186165e-01F));
  q = Fma(q, t, Set(2.820994338e-01F));
  const Float tail = q * t * Exp(-u) * 0.5F;
  const Float outer = z < 0.0F ? tail : 1.0F - tail;
  return a < 1.0F ? middle : outer;
}

template <int kActivation>
SY_INLINE Float Activate(Float x) {
  if constexpr (kActivation == 0) {  // SiLU
    return x / (1.0F + Exp(-x));
  } else if constexpr (kActivation == 1) {  // GELU by tanh
    const Float inner = Fma(x * x * x, Set(0.044715F), x) * 0.79788456F;
    return x / (1.0F + Exp(inner * -2.0F));  // (1 + tanh(a)) / 2 without cancelling
  } else {
    return x * NormalCdf(x);
  }
}

}  // namespace switchyard::cpu::SWITCHYARD_CPU_ISA
