// Softmax attention over pages: a work-group takes a few tokens (grid x) and the query heads that share
// a key/value head (grid y), so that each key and value is read and widened once for all of them. Keys
// come in tiles of 32 positions, with the running maximum and sum of Milakov and Gimelshein 2018 (arXiv
// 1805.02867). Tiles begin at multiples of 32 and a row skips those of which it sees nothing, so its
// bits do not depend on the rows that it shares a group with.
#define TILE_KEYS 32
#define TILE_WIDTH 64
#define KEY_STRIDE (TILE_KEYS + 1)  // so that lanes write to different banks
// What one lane computes at once: processors make a vector of it.
#define UNIT 8

// The sequence that owns row t, or -1; starts rise.
DEVICE i32 sequence_of(GLOBAL const i32* starts, i32 sequences, i32 t) {
  i32 low = 0;
  i32 high = sequences;
  if (t < starts[0] || t >= starts[sequences]) return -1;
  while (high - low > 1) {
    i32 middle = (low + high) / 2;
    if (starts[middle] <= t) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

KERNEL void attention(GLOBAL const u8* q, i64 q_at, GLOBAL const u8* k_pages, i64 k_pages_at,
                      GLOBAL const u8* v_pages, i64 v_pages_at, GLOBAL const u8* page_table,
                      i64 page_table_at, GLOBAL const u8* query_start, i64 query_start_at,
                      GLOBAL const u8* kv_length, i64 kv_length_at, GLOBAL const u8* sinks,
                      i64 sinks_at, GLOBAL u8* y, i64 y_at, AttentionParameters p) {
  LOCAL_ARRAY(float, query, ATTENTION_NUMBERS);  // [rows, key_width]
  LOCAL_ARRAY(float, sums, ATTENTION_NUMBERS);   // [rows, sums_stride]
  LOCAL_ARRAY(float, tile, TILE_WIDTH * KEY_STRIDE);
  LOCAL_ARRAY(float, scores, ATTENTION_ROWS * TILE_KEYS);
  LOCAL_ARRAY(float, largest, ATTENTION_ROWS);
  LOCAL_ARRAY(float, total, ATTENTION_ROWS);
  LOCAL_ARRAY(float, shrink, ATTENTION_ROWS);
  LOCAL_ARRAY(i64, cache_rows, TILE_KEYS);
  GLOBAL const i32* starts = (GLOBAL const i32*)(query_start + query_start_at);
  GLOBAL const i32* lengths = (GLOBAL const i32*)(kv_length + kv_length_at);
  i32 lane = LANE();
  i32 bytes = p.page_dtype == SIMT_F32 ? 4 : 2;
  i32 sums_stride = (p.value_width + UNIT - 1) / UNIT * UNIT;
  i32 kv_head = (i32)GROUP_Y() / p.head_blocks;
  i32 head_in_group = (i32)GROUP_Y() % p.head_blocks * p.block_heads;
  i32 first_head = kv_head * p.heads_each + head_in_group;
  i32 heads = p.heads_each - head_in_group < p.block_heads ? p.heads_each - head_in_group : p.block_heads;
  i32 token = (i32)GROUP_X() * p.block_tokens;
  i32 end = p.tokens - token < p.block_tokens ? p.tokens : token + p.block_tokens;
  k_pages += k_pages_at;
  v_pages += v_pages_at;
  page_table += page_table_at;
  y += y_at;
  q += q_at;
  while (token < end) {
    i32 sequence = sequence_of(starts, p.sequences, token);
    GLOBAL const i32* pages = (GLOBAL const i32*)(page_table + (i64)sequence * p.table_stride);
    i32 next;      // the first token after those of this sequence
    i32 rows;      // one for each token and head
    i32 position;  // of the first token
    i32 last;      // of the last token
    i32 first;     // that any row sees
    i32 base;
    i32 i;
    i32 r;
    if (sequence < 0) {
      for (i = lane; i < heads * p.value_width; i += LANES) {
        i64 row = (i64)token * p.q.dims[2] + first_head + i / p.value_width;
        store_number(y + row_offset(&p.y, row), p.y.dtype, i % p.value_width, 0.0f);
      }
      ++token;
      continue;
    }
    next = starts[sequence + 1] < end ? starts[sequence + 1] : end;
    rows = (next - token) * heads;
    position = lengths[sequence] - starts[sequence + 1] + token;
    last = position + next - token - 1;
    first = p.window > 0 && position + 1 > p.window ? position + 1 - p.window : 0;
    for (i = lane; i < rows * p.key_width; i += LANES) {
      i64 row = (i64)(token + i / p.key_width / heads) * p.q.dims[2] + first_head +
                i / p.key_width % heads;
      query[i] = load_number(q + row_offset(&p.q, row), p.q.dtype, i % p.key_width);
    }
    for (i = lane; i < rows * sums_stride; i += LANES) sums[i] = 0.0f;
    for (r = lane; r < rows; r += LANES) {
      largest[r] = FLOAT_OF_BITS(0xff800000u);
      total[r] = 0.0f;
      if (p.has_sinks) {
        largest[r] = ((GLOBAL const float*)(sinks + sinks_at))[first_head + r % heads];
        total[r] = 1.0f;
      }
    }
    for (base = first / TILE_KEYS * TILE_KEYS; base <= last; base += TILE_KEYS) {
      i32 part;  // the first of the elements of a head that are in the tile
      for (i = lane; i < TILE_KEYS; i += LANES) {
        i32 at = base + i;
        cache_rows[i] = -1;
        if (at >= first && at <= last) {
          i32 page = pages[at / p.page_size];
          // The host has checked its copy of the table; a copy that differs must still read inside.
          page = page < 0 ? 0 : page >= p.page_count ? p.page_count - 1 : page;
          cache_rows[i] = ((i64)page * p.page_size + at % p.page_size) * p.kv_heads + kv_head;
        }
      }
      for (i = lane; i < rows * TILE_KEYS; i += LANES) scores[i] = 0.0f;
      BARRIER();
      for (part = 0; part < p.key_width; part += TILE_WIDTH) {
        i32 width = p.key_width - part < TILE_WIDTH ? p.key_width - part : TILE_WIDTH;
        i32 unit;
        for (i = lane; i < TILE_KEYS * width; i += LANES) {
          i32 j = i / width;
          float value = 0.0f;
          if (cache_rows[j] >= 0) {
            value = load_number(k_pages + cache_rows[j] * p.key_width * bytes, p.page_dtype,
                                part + i % width);
          }
          tile[i % width * KEY_STRIDE + j] = value;
        }
        BARRIER();
        for (unit = lane; unit < rows * (TILE_KEYS / UNIT); unit += LANES) {
          i32 row = unit / (TILE_KEYS / UNIT);
          LOCAL float* to = scores + unit * UNIT;
          LOCAL const float* of_query = query + row * p.key_width + part;
          LOCAL const float* keys = tile + unit % (TILE_KEYS / UNIT) * UNIT;
          float dot[UNIT];
          i32 e;
          i32 k;
          for (k = 0; k < UNIT; ++k) dot[k] = to[k];
          for (e = 0; e < width; ++e) {
            for (k = 0; k < UNIT; ++k) {
              dot[k] = MULTIPLY_ADD(of_query[e], keys[e * KEY_STRIDE + k], dot[k]);
            }
          }
          for (k = 0; k < UNIT; ++k) to[k] = dot[k];
        }
        BARRIER();
      }
      for (r = lane; r < rows; r += LANES) {
        i32 sees_to = position + r / heads;
        i32 low = p.window > 0 && sees_to + 1 - p.window > base ? sees_to + 1 - p.window - base : 0;
        i32 high = sees_to + 1 - base < TILE_KEYS ? sees_to + 1 - base : TILE_KEYS;
        shrink[r] = 1.0f;
        if (low < high) {
          LOCAL float* of_row = scores + r * TILE_KEYS;
          float most = largest[r];
          float sum;
          for (i = low; i < high; ++i) {
            float score = of_row[i] * p.scale;
            if (p.softcap > 0.0f) score = p.softcap * hyperbolic_tangent(score / p.softcap);
            if (score > most) most = score;
            of_row[i] = score;
          }
          shrink[r] = exponential(largest[r] - most);
          sum = total[r] * shrink[r];
          for (i = low; i < high; ++i) {
            of_row[i] = exponential(of_row[i] - most);
            sum += of_row[i];
          }
          largest[r] = most;
          total[r] = sum;
        }
      }
      BARRIER();
      for (part = 0; part < p.value_width; part += TILE_WIDTH) {
        i32 width = p.value_width - part < TILE_WIDTH ? p.value_width - part : TILE_WIDTH;
        i32 unit;
        for (i = lane; i < TILE_KEYS * TILE_WIDTH; i += LANES) {
          i32 j = i / TILE_WIDTH;
          float value = 0.0f;
          if (cache_rows[j] >= 0 && i % TILE_WIDTH < width) {
            value = load_number(v_pages + cache_rows[j] * p.value_width * bytes, p.page_dtype,
                                part + i % TILE_WIDTH);
          }
          tile[i] = value;
        }
        BARRIER();
        for (unit = lane; unit < rows * (TILE_WIDTH / UNIT); unit += LANES) {
          i32 row = unit / (TILE_WIDTH / UNIT);
          i32 column = unit % (TILE_WIDTH / UNIT) * UNIT;
          i32 sees_to = position + row / heads;
          i32 low = p.window > 0 && sees_to + 1 - p.window > base ? sees_to + 1 - p.window - base : 0;
          i32 high = sees_to + 1 - base < TILE_KEYS ? sees_to + 1 - base : TILE_KEYS;
          if (column < width && low < high) {
            LOCAL float* to = sums + row * sums_stride + part + column;
            LOCAL const float* shares = scores + row * TILE_KEYS;
            float sum[UNIT];
            i32 j;
            i32 k;
            for (k = 0; k < UNIT; ++k) sum[k] = to[k] * shrink[row];
            for (j = low; j < high; ++j) {
              for (k = 0; k < UNIT; ++k) {
                sum[k] = MULTIPLY_ADD(shares[j], tile[j * TILE_WIDTH + column + k], sum[k]);
              }
            }
            for (k = 0; k < UNIT; ++k) to[k] = sum[k];
          }
        }
        BARRIER();
      }
    }
    for (i = lane; i < rows * p.value_width; i += LANES) {
      i32 row_of_group = i / p.value_width;
      i32 e = i % p.value_width;
      i64 row = (i64)(token + row_of_group / heads) * p.q.dims[2] + first_head + row_of_group % heads;
      store_number(y + row_offset(&p.y, row), p.y.dtype, e,
                   sums[row_of_group * sums_stride + e] / total[row_of_group]);
    }
    BARRIER();
    token = next;
  }
}
