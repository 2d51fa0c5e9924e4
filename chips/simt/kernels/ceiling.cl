// What a device can do at best: reading memory once, and multiply-adds without memory. Both keep
// CHAINS results apart, side by side, so that none waits for another.
#define CHAINS 64
#define ROUND_DEPTH 16  // multiply-adds of a chain in a round

// Work-group g reads `group_count` numbers from the g-th of as many, a multiple of CHAINS * LANES. What
// it finds it stores, so that it must be found.
KERNEL void read_stream(GLOBAL const u8* x, GLOBAL u8* y, i64 group_count) {
  GLOBAL const float* from = (GLOBAL const float*)x + GROUP_X() * group_count + LANE();
  float sums[CHAINS];
  float total = 0.0f;
  i64 i;
  i32 c;
#pragma unroll
  for (c = 0; c < CHAINS; ++c) sums[c] = 0.0f;
  for (i = 0; i < group_count; i += CHAINS * LANES) {
#pragma unroll
    for (c = 0; c < CHAINS; ++c) sums[c] += from[i + c * LANES];
  }
#pragma unroll
  for (c = 0; c < CHAINS; ++c) total += sums[c];
  ((GLOBAL float*)y)[GROUP_X() * LANES + LANE()] = total;
}

KERNEL void multiply_add_chains(GLOBAL u8* y, i64 rounds, float factor) {
  float sums[CHAINS];
  float total = 0.0f;
  i64 round;
  i32 c;
#pragma unroll
  for (c = 0; c < CHAINS; ++c) sums[c] = (float)(LANE() + c);
  for (round = 0; round < rounds; ++round) {
    // Lanes side by side want the chains in registers; a single one wants a loop to make vectors of.
#if LANES > 1
#pragma unroll
#endif
    for (c = 0; c < CHAINS; ++c) {
      float sum = sums[c];
      i32 depth;
#pragma unroll
      for (depth = 0; depth < ROUND_DEPTH; ++depth) sum = MULTIPLY_ADD(sum, factor, 1.0f);
      sums[c] = sum;
    }
  }
#pragma unroll
  for (c = 0; c < CHAINS; ++c) total += sums[c];
  ((GLOBAL float*)y)[GROUP_X() * LANES + LANE()] = total;
}
