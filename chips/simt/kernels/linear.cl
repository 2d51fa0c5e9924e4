// y = w x + bias for TOKENS rows of x at once. This text is compiled once for each kernel, under the
// name LINEAR: for several TOKENS, and for IS_GROUPED, where each token chooses its matrices. One
// work-group makes GROUP_ROWS outputs (grid y) of one tile of tokens in one column (grid x; a head or
// a chosen expert), so that groups which share a part of the weight run one after the other.
// Work-items beyond GROUP_ROWS split the inner dimension.
//
// A tile of x is staged in local memory with the sums of its groups of 16, which meet the formats'
// offsets. Sums form in an order that depends on LANES alone, not on TOKENS: rows of a batch get the
// bits that they would get alone.
//
// A work-item makes ROWS_OF_LANE outputs: one on a device whose work-items are lanes that run side by
// side; a whole panel, in a loop that a compiler can turn into vectors, on one that runs them one
// after the other.
#ifndef GROUP_ROWS
#define GROUP_LANES (LANES < PANEL_ROWS / ROWS_OF_LANE ? LANES : PANEL_ROWS / ROWS_OF_LANE)
#define GROUP_ROWS (GROUP_LANES * ROWS_OF_LANE)
#define SPLITS (LANES / GROUP_LANES)
#endif

KERNEL void LINEAR(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* w, i64 w_at,
                   GLOBAL const u8* bias, i64 bias_at, GLOBAL const u8* ids, i64 ids_at,
                   GLOBAL u8* y, i64 y_at, LinearParameters p) {
  LOCAL_ARRAY(float, tile, TOKENS * SPLITS * 32);
  LOCAL_ARRAY(float, tile_sums, TOKENS * SPLITS * 2);
  LOCAL_ARRAY(float, scratch, LANES);
  const i32 lane = LANE();
  const i32 split = lane / GROUP_LANES;
  const i64 first_output = GROUP_Y() * GROUP_ROWS;
  const i64 panel = first_output / PANEL_ROWS;
  const i64 first_row = first_output % PANEL_ROWS + lane % GROUP_LANES;
  const i32 column = (i32)(GROUP_X() % p.columns);
  const i32 first_token = (i32)(GROUP_X() / p.columns) * TOKENS;
  const i32 chunks = p.blocks * CHUNKS_OF_BLOCK;
  i32 base;
  i32 i;
  i32 t;
  i64 r;
  float sums[TOKENS * ROWS_OF_LANE];
#if IS_GROUPED
  // Where there is no such expert the result is NaN, as a stop would not be seen.
  const i32 chosen = ((GLOBAL const i32*)(ids + ids_at + first_token * p.ids_stride))[column];
  const i32 is_missing = chosen < 0 || chosen >= p.matrices;
  const i32 matrix = is_missing ? 0 : chosen;
#else
  const i32 matrix = p.mode == LINEAR_BATCHED ? column : 0;
#endif
  x += x_at + first_token * p.x_token_stride + column * p.x_column_stride;
  w += w_at + matrix * p.matrix_bytes + panel * p.blocks * (BLOCK_BYTES * PANEL_ROWS);
  for (i = 0; i < TOKENS * ROWS_OF_LANE; ++i) sums[i] = 0.0f;
  for (base = 0; base < chunks; base += SPLITS) {
    const i32 chunk = base + split;
    GLOBAL const u8* block =
        w + (i64)(chunk / CHUNKS_OF_BLOCK) * (BLOCK_BYTES * PANEL_ROWS);
    BARRIER();
    for (i = lane; i < TOKENS * SPLITS * 2; i += LANES) {
      const i32 token = i / (SPLITS * 2);
      const i32 k = base * 32 + i % (SPLITS * 2) * 16;
      const i32 count = first_token + token < p.tokens ? p.inner - k : 0;
      GLOBAL const u8* row = x + token * p.x_token_stride;
      float parts[4];
      i32 e;
      if (count >= 16 && p.x_dtype == SIMT_F32) {
#pragma unroll
        for (e = 0; e < 16; ++e) tile[i * 16 + e] = ((GLOBAL const float*)row)[k + e];
      } else {
        for (e = 0; e < 16; ++e) {
          tile[i * 16 + e] = e < count ? load_number(row, p.x_dtype, k + e) : 0.0f;
        }
      }
#pragma unroll
      for (e = 0; e < 4; ++e) {
        parts[e] = (tile[i * 16 + e] + tile[i * 16 + 4 + e]) +
                   (tile[i * 16 + 8 + e] + tile[i * 16 + 12 + e]);
      }
      tile_sums[i] = (parts[0] + parts[1]) + (parts[2] + parts[3]);
    }
    BARRIER();
    if (chunk < chunks) {
      for (r = 0; r < ROWS_OF_LANE; ++r) {
        float codes[32];
        float scale[2];
        float offset[2];
        load_chunk(block, first_row + r * GROUP_LANES, chunk % CHUNKS_OF_BLOCK, codes, scale,
                   offset);
#pragma unroll
        for (t = 0; t < TOKENS; ++t) {
          const i32 at = t * SPLITS + split;
          float sum = sums[t * ROWS_OF_LANE + r];
          float low = 0.0f;
          float high = 0.0f;
#pragma unroll
          for (i = 0; i < 16; ++i) {
            low = MULTIPLY_ADD(codes[i], tile[at * 32 + i], low);
            high = MULTIPLY_ADD(codes[16 + i], tile[at * 32 + 16 + i], high);
          }
          sum = MULTIPLY_ADD(scale[0], low, sum);
          sum = MULTIPLY_ADD(scale[1], high, sum);
          if (HAS_OFFSETS) {
            sum = MULTIPLY_ADD(offset[0], tile_sums[at * 2], sum);
            sum = MULTIPLY_ADD(offset[1], tile_sums[at * 2 + 1], sum);
          }
          sums[t * ROWS_OF_LANE + r] = sum;
        }
      }
    }
  }
  y += y_at + first_token * p.y_token_stride + column * p.y_column_stride;
  for (t = 0; t < TOKENS; ++t) {
    for (r = 0; r < ROWS_OF_LANE; ++r) {
      const i64 output = first_output + lane % GROUP_LANES + r * GROUP_LANES;
      float sum = sums[t * ROWS_OF_LANE + r];
      if (SPLITS > 1) {
        BARRIER();
        scratch[lane] = sum;
        BARRIER();
        for (i = 1; i < SPLITS; ++i) sum += scratch[i * GROUP_LANES + lane % GROUP_LANES];
      }
      if (split == 0 && output < p.outer && first_token + t < p.tokens) {
        if (p.has_bias) sum += ((GLOBAL const float*)(bias + bias_at))[output];
#if IS_GROUPED
        if (is_missing) sum = FLOAT_OF_BITS(0x7fc00000u);
#endif
        store_number(y + t * p.y_token_stride, p.y_dtype, output, sum);
      }
    }
  }
}
