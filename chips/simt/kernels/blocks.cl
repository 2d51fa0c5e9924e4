// One loader for every weight format. A weight lies in panels of PANEL_ROWS rows; within a panel,
// block after block along the row; within a block, first its 32-bit words and then what is left of it
// (2 bytes or 1), each in PANEL_ROWS copies side by side, one for each row. So the work-items of a
// group, which take a row each, read memory side by side. The host packs blocks so (weight_layout.h),
// turning those formats whose codes would not begin at a word.
//
// A chunk is 32 elements of a row: a whole block, or an eighth of one. Element i of a chunk is
//   scale[i / 16] * codes[i] + offset[i / 16]
// with codes that are small integers, levels of a table, or the numbers themselves.
#define PANEL_ROWS 32

#define FORMAT_Q4_0 100
#define FORMAT_Q4_1 101
#define FORMAT_Q5_0 102
#define FORMAT_Q5_1 103
#define FORMAT_Q8_0 104
#define FORMAT_Q2_K 105
#define FORMAT_Q3_K 106
#define FORMAT_Q4_K 107
#define FORMAT_Q5_K 108
#define FORMAT_Q6_K 109
#define FORMAT_IQ4_NL 110
#define FORMAT_IQ4_XS 111
#define FORMAT_MXFP4 112

#define IS_FORMAT(format) (WEIGHT_FORMAT == (format))
#define HAS_OFFSETS                                                                     \
  (IS_FORMAT(FORMAT_Q4_1) || IS_FORMAT(FORMAT_Q5_1) || IS_FORMAT(FORMAT_Q2_K) ||        \
   IS_FORMAT(FORMAT_Q4_K) || IS_FORMAT(FORMAT_Q5_K))
#define CHUNKS_OF_BLOCK                                                                 \
  ((IS_FORMAT(FORMAT_Q2_K) || IS_FORMAT(FORMAT_Q3_K) || IS_FORMAT(FORMAT_Q4_K) ||       \
    IS_FORMAT(FORMAT_Q5_K) || IS_FORMAT(FORMAT_Q6_K) || IS_FORMAT(FORMAT_IQ4_XS))       \
       ? 8                                                                              \
       : 1)
#define BLOCK_BYTES                                                                     \
  (IS_FORMAT(SIMT_F32)        ? 128                                                     \
   : IS_FORMAT(SIMT_F16)      ? 64                                                      \
   : IS_FORMAT(SIMT_BF16)     ? 64                                                      \
   : IS_FORMAT(FORMAT_Q4_0)   ? 18                                                      \
   : IS_FORMAT(FORMAT_Q4_1)   ? 20                                                      \
   : IS_FORMAT(FORMAT_Q5_0)   ? 22                                                      \
   : IS_FORMAT(FORMAT_Q5_1)   ? 24                                                      \
   : IS_FORMAT(FORMAT_Q8_0)   ? 34                                                      \
   : IS_FORMAT(FORMAT_Q2_K)   ? 84                                                      \
   : IS_FORMAT(FORMAT_Q3_K)   ? 110                                                     \
   : IS_FORMAT(FORMAT_Q4_K)   ? 144                                                     \
   : IS_FORMAT(FORMAT_Q5_K)   ? 176                                                     \
   : IS_FORMAT(FORMAT_Q6_K)   ? 210                                                     \
   : IS_FORMAT(FORMAT_IQ4_NL) ? 18                                                      \
   : IS_FORMAT(FORMAT_IQ4_XS) ? 136                                                     \
                              : 17)

TABLE float kIQ4Levels[16] = {-127.0f, -104.0f, -83.0f, -65.0f, -49.0f, -35.0f, -22.0f, -10.0f,
                              1.0f,    13.0f,   25.0f,  38.0f,  53.0f,  69.0f,  89.0f,  113.0f};
TABLE float kMXFP4Levels[16] = {0.0f, 1.0f,  2.0f,  3.0f,  4.0f,  6.0f,  8.0f,  12.0f,
                                0.0f, -1.0f, -2.0f, -3.0f, -4.0f, -6.0f, -8.0f, -12.0f};

// Word j of this row's block, and what follows the words.
#define WORD(j) (((GLOBAL const u32*)block)[(j) * PANEL_ROWS + row])
#define TAIL (block + BLOCK_BYTES / 4 * 4 * PANEL_ROWS)
#define TAIL_HALF (half_to_float(((GLOBAL const u16*)TAIL)[row]))

DEVICE i32 sign_extend(u32 byte) { return (i32)(byte ^ 128u) - 128; }

// Chunk `sub` of the block of row `row` of the panel. The row is of 64 bits so that a compiler sees
// neighbouring rows as neighbouring words, which sums of 32 bits, as they may wrap, hide from it.
DEVICE void load_chunk(GLOBAL const u8* block, i64 row, i32 sub, float* codes, float* scale,
                       float* offset) {
  i32 i;
  offset[0] = 0.0f;
  offset[1] = 0.0f;
  if (IS_FORMAT(SIMT_F32)) {
#pragma unroll
    for (i = 0; i < 32; ++i) codes[i] = FLOAT_OF_BITS(WORD(i));
    scale[0] = 1.0f;
    scale[1] = 1.0f;
  } else if (IS_FORMAT(SIMT_F16) || IS_FORMAT(SIMT_BF16)) {
#pragma unroll
    for (i = 0; i < 32; ++i) {
      u32 bits = WORD(i / 2) >> (16 * (i % 2)) & 0xffffu;
      codes[i] = IS_FORMAT(SIMT_F16) ? half_to_float(bits) : bf16_to_float(bits);
    }
    scale[0] = 1.0f;
    scale[1] = 1.0f;
  } else if (IS_FORMAT(FORMAT_Q8_0)) {
#pragma unroll
    for (i = 0; i < 32; ++i) codes[i] = (float)((i32)(WORD(i / 4) << (24 - 8 * (i % 4))) >> 24);
    scale[0] = TAIL_HALF;
    scale[1] = scale[0];
  } else if (IS_FORMAT(FORMAT_Q4_0) || IS_FORMAT(FORMAT_Q4_1) || IS_FORMAT(FORMAT_Q5_0) ||
             IS_FORMAT(FORMAT_Q5_1) || IS_FORMAT(FORMAT_IQ4_NL) || IS_FORMAT(FORMAT_MXFP4)) {
    const i32 has_minimum = IS_FORMAT(FORMAT_Q4_1) || IS_FORMAT(FORMAT_Q5_1);
    const i32 has_high_bits = IS_FORMAT(FORMAT_Q5_0) || IS_FORMAT(FORMAT_Q5_1);
    const i32 first = has_minimum + has_high_bits;
    const u32 high = has_high_bits ? WORD(has_minimum) : 0u;
    const i32 middle = IS_FORMAT(FORMAT_Q4_0) ? 8 : IS_FORMAT(FORMAT_Q5_0) ? 16 : 0;
#pragma unroll
    for (i = 0; i < 32; ++i) {
      u32 code = WORD(first + i % 16 / 4) >> (8 * (i % 4) + i / 16 * 4) & 15u;
      if (has_high_bits) code |= (high >> i & 1u) << 4;
      codes[i] = IS_FORMAT(FORMAT_IQ4_NL)  ? kIQ4Levels[code]
                 : IS_FORMAT(FORMAT_MXFP4) ? kMXFP4Levels[code]
                                           : (float)((i32)code - middle);
    }
    if (has_minimum) {
      scale[0] = half_to_float(WORD(0) & 0xffffu);
      offset[0] = half_to_float(WORD(0) >> 16);
      offset[1] = offset[0];
    } else if (IS_FORMAT(FORMAT_MXFP4)) {
      u32 exponent = TAIL[row];
      scale[0] = FLOAT_OF_BITS(exponent < 2u ? 0x00200000u << exponent : (exponent - 1u) << 23);
    } else {
      scale[0] = TAIL_HALF;
    }
    scale[1] = scale[0];
  } else if (IS_FORMAT(FORMAT_Q2_K)) {
    const u32 groups = WORD(sub / 2) >> (16 * (sub % 2));
    const float unit = half_to_float(WORD(20) & 0xffffu);
    const float minimum = half_to_float(WORD(20) >> 16);
#pragma unroll
    for (i = 0; i < 32; ++i) {
      codes[i] = (float)(WORD(4 + sub / 4 * 8 + i / 4) >> (8 * (i % 4) + sub % 4 * 2) & 3u);
    }
    scale[0] = unit * (float)(groups & 15u);
    scale[1] = unit * (float)(groups >> 8 & 15u);
    offset[0] = -(minimum * (float)(groups >> 4 & 15u));
    offset[1] = -(minimum * (float)(groups >> 12 & 15u));
  } else if (IS_FORMAT(FORMAT_Q3_K)) {
    const float unit = TAIL_HALF;
#pragma unroll
    for (i = 0; i < 32; ++i) {
      u32 code = WORD(8 + sub / 4 * 8 + i / 4) >> (8 * (i % 4) + sub % 4 * 2) & 3u;
      code |= (WORD(i / 4) >> (8 * (i % 4) + sub) & 1u) << 2;
      codes[i] = (float)((i32)code - 4);
    }
#pragma unroll
    for (i = 0; i < 2; ++i) {
      const i32 g = 2 * sub + i;
      const u32 low = WORD(24 + g % 8 / 4) >> (8 * (g % 4) + g / 8 * 4) & 15u;
      const u32 top = WORD(26) >> (8 * (g % 4) + g / 4 * 2) & 3u;
      scale[i] = unit * (float)((i32)(low | top << 4) - 32);
    }
  } else if (IS_FORMAT(FORMAT_Q4_K) || IS_FORMAT(FORMAT_Q5_K)) {
    const float unit = half_to_float(WORD(0) & 0xffffu);
    const float minimum = half_to_float(WORD(0) >> 16);
    const i32 at = 8 * (sub % 4);
    const u32 a = WORD(1) >> at;
    const u32 b = WORD(2) >> at;
    const u32 c = WORD(3) >> at;
    const u32 s = sub < 4 ? a & 63u : (c & 15u) | (a >> 6 & 3u) << 4;
    const u32 m = sub < 4 ? b & 63u : (c >> 4 & 15u) | (b >> 6 & 3u) << 4;
    const i32 first = IS_FORMAT(FORMAT_Q5_K) ? 12 : 4;
#pragma unroll
    for (i = 0; i < 32; ++i) {
      u32 code = WORD(first + sub / 2 * 8 + i / 4) >> (8 * (i % 4) + sub % 2 * 4) & 15u;
      if (IS_FORMAT(FORMAT_Q5_K)) code |= (WORD(4 + i / 4) >> (8 * (i % 4) + sub) & 1u) << 4;
      codes[i] = (float)code;
    }
    scale[0] = unit * (float)s;
    scale[1] = scale[0];
    offset[0] = -(minimum * (float)m);
    offset[1] = offset[0];
  } else if (IS_FORMAT(FORMAT_Q6_K)) {
    const float unit = TAIL_HALF;
    const u32 groups = WORD(48 + sub / 2) >> (16 * (sub % 2));
#pragma unroll
    for (i = 0; i < 32; ++i) {
      u32 code = WORD(sub / 4 * 16 + sub % 2 * 8 + i / 4) >> (8 * (i % 4) + sub % 4 / 2 * 4) & 15u;
      code |= (WORD(32 + sub / 4 * 8 + i / 4) >> (8 * (i % 4) + sub % 4 * 2) & 3u) << 4;
      codes[i] = (float)((i32)code - 32);
    }
    scale[0] = unit * (float)sign_extend(groups & 255u);
    scale[1] = unit * (float)sign_extend(groups >> 8 & 255u);
  } else if (IS_FORMAT(FORMAT_IQ4_XS)) {
    const u32 low = WORD(1) >> (4 * sub) & 15u;
    const u32 top = WORD(0) >> (16 + 2 * sub) & 3u;
#pragma unroll
    for (i = 0; i < 32; ++i) {
      codes[i] = kIQ4Levels[WORD(2 + sub * 4 + i % 16 / 4) >> (8 * (i % 4) + i / 16 * 4) & 15u];
    }
    scale[0] = half_to_float(WORD(0) & 0xffffu) * (float)((i32)(low | top << 4) - 32);
    scale[1] = scale[0];
  }
}

// y[t] = scale * table[ids[t]]: one work-group a token (grid x), one work-item a chunk.
KERNEL void embedding(GLOBAL const u8* table, i64 table_at, GLOBAL const u8* ids, i64 ids_at,
                      GLOBAL u8* y, i64 y_at, EmbeddingParameters p) {
  i64 token = GROUP_X();
  i32 id = ((GLOBAL const i32*)(ids + ids_at))[token];
  i32 is_missing = id < 0 || id >= p.rows;
  i64 panel_row;
  i32 chunk;
  i32 i;
  if (is_missing) id = 0;
  panel_row = id % PANEL_ROWS;
  table += table_at + (i64)(id / PANEL_ROWS) * p.blocks * (BLOCK_BYTES * PANEL_ROWS);
  y += y_at + row_offset(&p.y, token);
  for (chunk = LANE(); chunk < p.blocks * CHUNKS_OF_BLOCK; chunk += LANES) {
    float codes[32];
    float scale[2];
    float offset[2];
    load_chunk(table + (i64)(chunk / CHUNKS_OF_BLOCK) * (BLOCK_BYTES * PANEL_ROWS), panel_row,
               chunk % CHUNKS_OF_BLOCK, codes, scale, offset);
    for (i = 0; i < 32; ++i) {
      i32 column = chunk * 32 + i;
      float value = scale[i / 16] * codes[i] + offset[i / 16];
      if (column >= p.length) break;
      // There is no token that this id names; NaN shows it, where a stop would not be seen.
      store_number(y, p.y.dtype, column, is_missing ? FLOAT_OF_BITS(0x7fc00000u) : value * p.scale);
    }
  }
}
