// Softmax attention over pages: one work-group for each query row (grid x) and head (grid y). Keys
// are taken in tiles of LANES, with the running maximum and sum of Milakov and Gimelshein 2018
// (arXiv 1805.02867); tiles begin at the first visible key, so the bits of a row depend on its own
// sequence alone.
#define MAX_HEAD_WIDTH 1024

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
  LOCAL_ARRAY(float, query, MAX_HEAD_WIDTH);
  LOCAL_ARRAY(float, sums, MAX_HEAD_WIDTH);
  LOCAL_ARRAY(float, shares, LANES);
  LOCAL_ARRAY(float, scratch, LANES);
  LOCAL_ARRAY(i64, value_rows, LANES);
  GLOBAL const i32* starts = (GLOBAL const i32*)(query_start + query_start_at);
  i32 token = (i32)GROUP_X();
  i32 head = (i32)GROUP_Y();
  i32 kv_head = head / p.heads_each;
  i32 lane = LANE();
  i32 bytes = p.page_dtype == SIMT_F32 ? 4 : 2;
  i64 row = (i64)token * p.q.dims[2] + head;
  i32 sequence = sequence_of(starts, p.sequences, token);
  i32 position;
  i32 first;
  i32 base;
  i32 i;
  i32 j;
  float largest = FLOAT_OF_BITS(0xff800000u);
  float total = 0.0f;
  y += y_at + row_offset(&p.y, row);
  if (sequence < 0) {
    for (i = lane; i < p.value_width; i += LANES) store_number(y, p.y.dtype, i, 0.0f);
    return;
  }
  position = ((GLOBAL const i32*)(kv_length + kv_length_at))[sequence] - starts[sequence + 1] + token;
  first = p.window > 0 && position + 1 > p.window ? position + 1 - p.window : 0;
  q += q_at + row_offset(&p.q, row);
  k_pages += k_pages_at;
  v_pages += v_pages_at;
  page_table += page_table_at + (i64)sequence * p.table_stride;
  for (i = lane; i < p.key_width; i += LANES) query[i] = load_number(q, p.q.dtype, i);
  for (i = lane; i < p.value_width; i += LANES) sums[i] = 0.0f;
  if (p.has_sinks) {
    largest = ((GLOBAL const float*)(sinks + sinks_at))[head];
    total = 1.0f;
  }
  BARRIER();
  for (base = first; base <= position; base += LANES) {
    i32 at = base + lane;
    i32 count = position + 1 - base < LANES ? position + 1 - base : LANES;
    float score = FLOAT_OF_BITS(0xff800000u);
    float share;
    float shrink;
    float new_largest;
    if (at <= position) {
      i32 page = ((GLOBAL const i32*)page_table)[at / p.page_size];
      i64 cache_row;
      GLOBAL const u8* key;
      // The host has checked its copy of the table; a copy that differs must still read inside.
      page = page < 0 ? 0 : page >= p.page_count ? p.page_count - 1 : page;
      cache_row = ((i64)page * p.page_size + at % p.page_size) * p.kv_heads + kv_head;
      value_rows[lane] = cache_row * p.value_width * bytes;
      key = k_pages + cache_row * p.key_width * bytes;
      score = 0.0f;
      for (i = 0; i < p.key_width; ++i) {
        score = MULTIPLY_ADD(query[i], load_number(key, p.page_dtype, i), score);
      }
      score *= p.scale;
      if (p.softcap > 0.0f) score = p.softcap * hyperbolic_tangent(score / p.softcap);
    }
    new_largest = group_max(score, scratch);
    if (!(new_largest >= largest)) new_largest = largest;
    share = at <= position ? exponential(score - new_largest) : 0.0f;
    shares[lane] = share;
    shrink = exponential(largest - new_largest);
    largest = new_largest;
    total = total * shrink + group_sum(share, scratch);
    for (i = lane; i < p.value_width; i += LANES) {
      float sum = sums[i] * shrink;
      for (j = 0; j < count; ++j) {
        sum = MULTIPLY_ADD(shares[j], load_number(v_pages + value_rows[j], p.page_dtype, i), sum);
      }
      sums[i] = sum;
    }
    BARRIER();
  }
  for (i = lane; i < p.value_width; i += LANES) store_number(y, p.y.dtype, i, sums[i] / total);
}
