// What a device can do at best: reading memory once, and multiply-adds without memory.

// Each work-item adds up every (all work-items)-th number of `count`; what it finds it stores, so that
// it must be found.
KERNEL void read_stream(GLOBAL const u8* x, GLOBAL u8* y, i64 count, i64 work_items) {
  const i64 first = GROUP_X() * LANES + LANE();
  float sum = 0.0f;
  i64 i;
  for (i = first; i < count; i += work_items) sum += ((GLOBAL const float*)x)[i];
  ((GLOBAL float*)y)[first] = sum;
}

// 16 chains of `rounds` multiply-adds each.
KERNEL void multiply_add_chains(GLOBAL u8* y, i64 rounds, float factor) {
  const i64 first = GROUP_X() * LANES + LANE();
  float sums[16];
  float total = 0.0f;
  i64 round;
  i32 i;
#pragma unroll
  for (i = 0; i < 16; ++i) sums[i] = (float)(first + i);
  for (round = 0; round < rounds; ++round) {
#pragma unroll
    for (i = 0; i < 16; ++i) sums[i] = MULTIPLY_ADD(sums[i], factor, 1.0f);
  }
#pragma unroll
  for (i = 0; i < 16; ++i) total += sums[i];
  ((GLOBAL float*)y)[first] = total;
}
