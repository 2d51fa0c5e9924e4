// y = w x + bias for TOKENS rows of x at once. This text is compiled once for each TOKENS, under the
// name LINEAR. One work-group makes GROUP_ROWS outputs (grid x) of one tile of tokens in one column
// (grid y; a head or a chosen expert). Work-items beyond GROUP_ROWS split the inner dimension.
//
// A tile of x is staged in local memory with the sums of its groups of 16, which meet the formats'
// offsets. Sums form in an order that depends on LANES alone, not on TOKENS: rows of a batch get the
// bits that they would get alone.
#ifndef GROUP_ROWS
#define GROUP_ROWS (LANES < PANEL_ROWS ? LANES : PANEL_ROWS)
#define SPLITS (LANES / GROUP_ROWS)
#endif

KERNEL void LINEAR(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* w, i64 w_at,
                   GLOBAL const u8* bias, i64 bias_at, GLOBAL const u8* ids, i64 ids_at,
                   GLOBAL u8* y, i64 y_at, LinearParameters p) {
  LOCAL_ARRAY(float, tile, TOKENS * SPLITS * 32);
  LOCAL_ARRAY(float, tile_sums, TOKENS * SPLITS * 2);
  LOCAL_ARRAY(float, scratch, LANES);
  const i32 lane = LANE();
  const i32 split = lane / GROUP_ROWS;
  const i64 output = GROUP_Y() * GROUP_ROWS + lane % GROUP_ROWS;
  const i32 column = (i32)(GROUP_X() % p.columns);
  const i32 first_token = (i32)(GROUP_X() / p.columns) * TOKENS;
  const i32 panel_row = (i32)(output % PANEL_ROWS);
  const i32 chunks = p.blocks * CHUNKS_OF_BLOCK;
  i32 matrix = p.mode == LINEAR_BATCHED ? column : 0;
  i32 is_missing = 0;
  i32 base;
  i32 i;
  i32 t;
  float sums[TOKENS];
  if (p.mode == LINEAR_GROUPED) {
    matrix = ((GLOBAL const i32*)(ids + ids_at + first_token * p.ids_stride))[column];
    // There is no such expert: the result is NaN, where a stop would not be seen.
    is_missing = matrix < 0 || matrix >= p.matrices;
    if (is_missing) matrix = 0;
  }
  x += x_at + first_token * p.x_token_stride + column * p.x_column_stride;
  w += w_at + matrix * p.matrix_bytes +
       output / PANEL_ROWS * p.blocks * (BLOCK_BYTES * PANEL_ROWS);
#pragma unroll
  for (t = 0; t < TOKENS; ++t) sums[t] = 0.0f;
  for (base = 0; base < chunks; base += SPLITS) {
    const i32 chunk = base + split;
    BARRIER();
    for (i = lane; i < TOKENS * SPLITS * 2; i += LANES) {
      const i32 token = i / (SPLITS * 2);
      const i32 k = base * 32 + i % (SPLITS * 2) * 16;
      float sum = 0.0f;
      i32 e;
      for (e = 0; e < 16; ++e) {
        float value = 0.0f;
        if (first_token + token < p.tokens && k + e < p.inner) {
          value = load_number(x + token * p.x_token_stride, p.x_dtype, k + e);
        }
        tile[i * 16 + e] = value;
        sum += value;
      }
      tile_sums[i] = sum;
    }
    BARRIER();
    if (chunk < chunks) {
      float codes[32];
      float scale[2];
      float offset[2];
      load_chunk(w + (i64)(chunk / CHUNKS_OF_BLOCK) * (BLOCK_BYTES * PANEL_ROWS), panel_row,
                 chunk % CHUNKS_OF_BLOCK, codes, scale, offset);
#pragma unroll
      for (t = 0; t < TOKENS; ++t) {
        const i32 at = t * SPLITS + split;
        float low = 0.0f;
        float high = 0.0f;
#pragma unroll
        for (i = 0; i < 16; ++i) {
          low = MULTIPLY_ADD(codes[i], tile[at * 32 + i], low);
          high = MULTIPLY_ADD(codes[16 + i], tile[at * 32 + 16 + i], high);
        }
        sums[t] = MULTIPLY_ADD(scale[0], low, sums[t]);
        sums[t] = MULTIPLY_ADD(scale[1], high, sums[t]);
        if (HAS_OFFSETS) {
          sums[t] = MULTIPLY_ADD(offset[0], tile_sums[at * 2], sums[t]);
          sums[t] = MULTIPLY_ADD(offset[1], tile_sums[at * 2 + 1], sums[t]);
        }
      }
    }
  }
  y += y_at + first_token * p.y_token_stride + column * p.y_column_stride;
#pragma unroll
  for (t = 0; t < TOKENS; ++t) {
    float sum = sums[t];
    if (SPLITS > 1) {
      BARRIER();
      scratch[lane] = sum;
      BARRIER();
      for (i = 1; i < SPLITS; ++i) sum += scratch[i * GROUP_ROWS + lane % GROUP_ROWS];
    }
    if (split == 0 && output < p.outer && first_token + t < p.tokens) {
      if (p.has_bias) sum += ((GLOBAL const float*)(bias + bias_at))[output];
      if (is_missing) sum = FLOAT_OF_BITS(0x7fc00000u);
      store_number(y + t * p.y_token_stride, p.y_dtype, output, sum);
    }
  }
}
