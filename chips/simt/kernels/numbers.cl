// Numbers of 16 bits, and the few functions that models need, written out: so that every device
// computes the same, and no library is needed.

#if defined(__OPENCL_VERSION__)
// Part of OpenCL 1.0, and an instruction on most devices.
DEVICE float half_to_float(u32 bits) {
  u16 half_bits = (u16)bits;
  return vload_half(0, (const half*)&half_bits);
}
#else
DEVICE float half_to_float(u32 bits) {
  u32 sign = (bits & 0x8000u) << 16;
  u32 exponent = bits & 0x7c00u;
  u32 shifted = (bits & 0x7fffu) << 13;
  // Subnormals: as the fraction of a number with the smallest exponent, whose hidden 1 is taken off.
  float subnormal = FLOAT_OF_BITS(shifted + (113u << 23)) - FLOAT_OF_BITS(113u << 23);
  u32 normal = shifted + (exponent == 0x7c00u ? 224u << 23 : 112u << 23);
  u32 magnitude = exponent == 0u ? BITS_OF_FLOAT(subnormal) : normal;
  return FLOAT_OF_BITS(sign | magnitude);
}
#endif

// To nearest even, NaN and infinity kept.
DEVICE u32 float_to_half(float value) {
  u32 bits = BITS_OF_FLOAT(value);
  u32 sign = (bits >> 16) & 0x8000u;
  u32 magnitude = bits & 0x7fffffffu;
  u32 rounded;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  // Below the smallest normal, adding 0.5 rounds at the last bit of a half.
  if (magnitude < 0x38800000u) {
    return sign | (BITS_OF_FLOAT(FLOAT_OF_BITS(magnitude) + 0.5f) - 0x3f000000u);
  }
  rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return sign | ((rounded - 0x38000000u) >> 13);
}

DEVICE float bf16_to_float(u32 bits) { return FLOAT_OF_BITS(bits << 16); }

DEVICE u32 float_to_bf16(float value) {
  u32 bits = BITS_OF_FLOAT(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits >> 16) | 0x40u;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

DEVICE float load_number(GLOBAL const u8* row, i32 dtype, i64 index) {
  u32 bits;
  if (dtype == SIMT_F32) return ((GLOBAL const float*)row)[index];
  bits = ((GLOBAL const u16*)row)[index];
  return dtype == SIMT_F16 ? half_to_float(bits) : bf16_to_float(bits);
}

DEVICE void store_number(GLOBAL u8* row, i32 dtype, i64 index, float value) {
  if (dtype == SIMT_F32) {
    ((GLOBAL float*)row)[index] = value;
  } else {
    ((GLOBAL u16*)row)[index] =
        (u16)(dtype == SIMT_F16 ? float_to_half(value) : float_to_bf16(value));
  }
}

// The nearest whole number to x, as float; |x| < 2^22. Adding 1.5 * 2^23 leaves no fraction bits.
DEVICE float nearest(float x) { return (x + 12582912.0f) - 12582912.0f; }

// 2^n as float for -126 <= n <= 127.
DEVICE float power_of_two(i32 n) { return FLOAT_OF_BITS((u32)(n + 127) << 23); }

// Within 2 units in the last place. Reduces by multiples of ln 2 in two parts (Cody and Waite), then
// a Taylor polynomial on |r| <= ln 2 / 2.
DEVICE float exponential(float x) {
  float n;
  float r;
  float p;
  i32 whole;
  i32 half_of_it;
  if (x > 88.8f) return FLOAT_OF_BITS(0x7f800000u);
  if (x < -104.0f) return 0.0f;
  if (!(x == x)) return x;
  n = nearest(x * 1.44269504f);
  r = FMA(n, -0.693359375f, x);
  r = FMA(n, 2.12194440e-4f, r);
  p = FMA(r, 1.0f / 5040.0f, 1.0f / 720.0f);
  p = FMA(p, r, 1.0f / 120.0f);
  p = FMA(p, r, 1.0f / 24.0f);
  p = FMA(p, r, 1.0f / 6.0f);
  p = FMA(p, r, 0.5f);
  p = FMA(p, r, 1.0f);
  p = FMA(p, r, 1.0f);
  // In two factors, as 2^128 and 2^-149 are no normal floats.
  whole = (i32)n;
  half_of_it = whole / 2;
  return p * power_of_two(half_of_it) * power_of_two(whole - half_of_it);
}

DEVICE float hyperbolic_tangent(float x) {
  float magnitude = x < 0.0f ? -x : x;
  float square = x * x;
  float result;
  // The series below 0.3, where the quotient would cancel.
  if (magnitude < 0.3f) {
    result = FMA(square, 62.0f / 2835.0f, -17.0f / 315.0f);
    result = FMA(result, square, 2.0f / 15.0f);
    result = FMA(result, square, -1.0f / 3.0f);
    return FMA(result * square, x, x);
  }
  result = 1.0f - 2.0f / (exponential(2.0f * magnitude) + 1.0f);
  return x < 0.0f ? -result : result;
}

// P(N(0, 1) < x) = erfc(-x / sqrt(2)) / 2, to about one unit in the seventh digit also where it is
// small, which 1 + erf is not. The cpu chip's polynomials (chips/cpu/kernels/vector_math.h).
DEVICE float normal_cdf(float x) {
  float z = x * 0.707106781f;
  float magnitude = z < 0.0f ? -z : z;
  float square = z * z;
  float t;
  float p;
  if (magnitude < 1.0f) {
    p = FMA(square, 7.889119527e-05f, -8.020841278e-04f);
    p = FMA(p, square, 5.189535339e-03f);
    p = FMA(p, square, -2.685444459e-02f);
    p = FMA(p, square, 1.128360018e-01f);
    p = FMA(p, square, -3.761262714e-01f);
    p = FMA(p, square, 1.128379166f);
    return FMA(p * z, 0.5f, 0.5f);
  }
  t = 1.0f / FMA(magnitude, 0.5f, 1.0f);
  p = FMA(t, 9.261032731e-02f, -2.236790332e-01f);
  p = FMA(p, t, 7.930057696e-02f);
  p = FMA(p, t, 6.308641881e-02f);
  p = FMA(p, t, 1.779831209e-01f);
  p = FMA(p, t, 2.471405513e-01f);
  p = FMA(p, t, 2.820186165e-01f);
  p = FMA(p, t, 2.820994338e-01f);
  p = p * t * exponential(-square) * 0.5f;
  return z < 0.0f ? p : 1.0f - p;
}

// Sine and cosine of a * b, whose product's rounding error is carried along. Reduces by multiples of
// pi / 2 in three parts, which is exact enough up to 2^20; polynomials are Taylor's on |r| <= pi / 4.
DEVICE float sine_and_cosine(float a, float b, float* cosine) {
  float product = a * b;
  float error = FMA(a, b, -product);
  float n = nearest(product * 0.636619772f);
  float r = FMA(n, -1.57079601f, product);
  float square;
  float s;
  float c;
  i32 quadrant;
  r = FMA(n, -3.13916473e-7f, r);
  r = FMA(n, -5.39030253e-15f, r);
  r += error;
  square = r * r;
  s = FMA(square, 2.75573192e-6f, -1.98412698e-4f);
  s = FMA(s, square, 8.33333333e-3f);
  s = FMA(s, square, -1.66666667e-1f);
  s = FMA(s * square, r, r);
  c = FMA(square, -2.75573192e-7f, 2.48015873e-5f);
  c = FMA(c, square, -1.38888889e-3f);
  c = FMA(c, square, 4.16666667e-2f);
  c = FMA(c, square, -0.5f);
  c = FMA(c, square, 1.0f);
  quadrant = (i32)n & 3;
  *cosine = (quadrant & 1) != 0 ? s : c;
  if (quadrant == 1 || quadrant == 2) *cosine = -*cosine;
  s = (quadrant & 1) != 0 ? c : s;
  return quadrant >= 2 ? -s : s;
}

DEVICE i64 row_offset(const Rows* rows, i64 row) {
  i64 last = row % rows->dims[2];
  i64 above = row / rows->dims[2];
  return last * rows->strides[2] + above % rows->dims[1] * rows->strides[1] +
         above / rows->dims[1] * rows->strides[0];
}

// Reductions over the work-group. `scratch` has LANES elements; every work-item must call, and gets
// the result. The order of additions is a tree that depends on LANES alone.
DEVICE float group_sum(float value, LOCAL float* scratch) {
  i32 lane = LANE();
  i32 step;
  float result;
  scratch[lane] = value;
  BARRIER();
  for (step = LANES / 2; step > 0; step /= 2) {
    if (lane < step) scratch[lane] += scratch[lane + step];
    BARRIER();
  }
  result = scratch[0];
  BARRIER();
  return result;
}

DEVICE float group_max(float value, LOCAL float* scratch) {
  i32 lane = LANE();
  i32 step;
  float result;
  scratch[lane] = value;
  BARRIER();
  for (step = LANES / 2; step > 0; step /= 2) {
    if (lane < step) {
      float other = scratch[lane + step];
      if (!(scratch[lane] >= other)) scratch[lane] = other;
    }
    BARRIER();
  }
  result = scratch[0];
  BARRIER();
  return result;
}
