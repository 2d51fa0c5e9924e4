// Operations on each row alone: one work-group a row (grid x), or a row and a tile of COLUMN_TILE
// columns (grid y) where columns do not meet.
#define COLUMN_TILE 4096

DEVICE float activate(float x, i32 kind) {
  if (kind == ELEMENTWISE_GELU_TANH) {
    float inner = 0.797884561f * FMA(0.044715f * x * x, x, x);
    return x / (1.0f + exponential(-2.0f * inner));  // (1 + tanh(a)) / 2 without cancelling
  }
  if (kind == ELEMENTWISE_GELU_ERF) return x * normal_cdf(x);
  return x / (1.0f + exponential(-x));
}

// y = activation(a) * b, a + b, or scale * a with a soft cap if there is one.
KERNEL void elementwise(GLOBAL const u8* a, i64 a_at, GLOBAL const u8* b, i64 b_at, GLOBAL u8* y,
                        i64 y_at, ElementwiseParameters p) {
  i64 row = GROUP_X();
  i32 begin = (i32)GROUP_Y() * COLUMN_TILE;
  i32 end = p.length - begin < COLUMN_TILE ? p.length : begin + COLUMN_TILE;
  i32 i;
  a += a_at + row_offset(&p.a, row);
  b += b_at + row_offset(&p.b, row);
  y += y_at + row_offset(&p.y, row);
  if (p.kind == ELEMENTWISE_ADD) {
    for (i = begin + LANE(); i < end; i += LANES) {
      store_number(y, p.y.dtype, i, load_number(a, p.a.dtype, i) + load_number(b, p.b.dtype, i));
    }
  } else if (p.kind == ELEMENTWISE_SCALE) {
    for (i = begin + LANE(); i < end; i += LANES) {
      float value = load_number(a, p.a.dtype, i) * p.scale;
      if (p.softcap > 0.0f) value = p.softcap * hyperbolic_tangent(value / p.softcap);
      store_number(y, p.y.dtype, i, value);
    }
  } else {
    for (i = begin + LANE(); i < end; i += LANES) {
      float gate = activate(load_number(a, p.a.dtype, i), p.kind);
      store_number(y, p.y.dtype, i, gate * load_number(b, p.b.dtype, i));
    }
  }
}

// y = x / sqrt(mean(x^2) + eps) * w (arXiv 1910.07467, equation 4).
KERNEL void rms_norm(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* w, i64 w_at, GLOBAL u8* y,
                     i64 y_at, NormParameters p) {
  LOCAL_ARRAY(float, scratch, LANES);
  i64 row = GROUP_X();
  float squares = 0.0f;
  float factor;
  i32 i;
  x += x_at + row_offset(&p.x, row);
  y += y_at + row_offset(&p.y, row);
  w += w_at;
  for (i = LANE(); i < p.length; i += LANES) {
    float value = load_number(x, p.x.dtype, i);
    squares = MULTIPLY_ADD(value, value, squares);
  }
  squares = group_sum(squares, scratch);
  factor = 1.0f / SQRT(squares / (float)p.length + p.eps);
  for (i = LANE(); i < p.length; i += LANES) {
    float value = load_number(x, p.x.dtype, i) * factor;
    store_number(y, p.y.dtype, i, value * ((GLOBAL const float*)w)[i]);
  }
}

// Rows to rows, of another type or not; row r comes from row index[r] where there is an index. An
// index that is out of range gives NaN: memory beyond x must not be read, and nobody waits to be told.
KERNEL void copy_rows(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* index, i64 index_at,
                      GLOBAL u8* y, i64 y_at, CopyParameters p) {
  i64 row = GROUP_X();
  i64 from = row;
  i32 begin = (i32)GROUP_Y() * COLUMN_TILE;
  i32 end = p.length - begin < COLUMN_TILE ? p.length : begin + COLUMN_TILE;
  i32 is_missing = 0;
  i32 i;
  if (p.index_count > 0) {
    from = ((GLOBAL const i32*)(index + index_at))[row];
    is_missing = from < 0 || from >= p.index_count;
    if (is_missing) from = 0;
  }
  x += x_at + row_offset(&p.x, from);
  y += y_at + row_offset(&p.y, row);
  for (i = begin + LANE(); i < end; i += LANES) {
    if (p.converts) {
      store_number(y, p.y.dtype, i, load_number(x, p.x.dtype, i));
    } else if (p.element_bytes == 4) {
      ((GLOBAL u32*)y)[i] = is_missing ? 0x7fc00000u : ((GLOBAL const u32*)x)[i];
    } else if (p.element_bytes == 2) {
      ((GLOBAL u16*)y)[i] = is_missing ? (u16)0x7fffu : ((GLOBAL const u16*)x)[i];
    } else if (p.element_bytes == 8) {
      ((GLOBAL u64*)y)[i] = ((GLOBAL const u64*)x)[i];
    } else {
      y[i] = x[i];
    }
  }
}

// The first elements of each head turn by position * frequency (arXiv 2104.09864, equation 34). Rows
// are heads of tokens; x and y may be the same memory.
KERNEL void rope(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* positions, i64 positions_at,
                 GLOBAL const u8* frequencies, i64 frequencies_at, GLOBAL u8* y, i64 y_at,
                 RopeParameters p) {
  i64 row = GROUP_X();
  float position = (float)((GLOBAL const i32*)(positions + positions_at))[row / p.x.dims[2]];
  i32 i;
  x += x_at + row_offset(&p.x, row);
  y += y_at + row_offset(&p.y, row);
  frequencies += frequencies_at;
  for (i = LANE(); i < p.pairs; i += LANES) {
    i32 first = p.interleaved ? 2 * i : i;
    i32 second = p.interleaved ? 2 * i + 1 : i + p.pairs;
    float a = load_number(x, p.x.dtype, first);
    float b = load_number(x, p.x.dtype, second);
    float cosine;
    float sine = sine_and_cosine(position, ((GLOBAL const float*)frequencies)[i], &cosine);
    cosine *= p.scale;
    sine *= p.scale;
    store_number(y, p.y.dtype, first, a * cosine - b * sine);
    store_number(y, p.y.dtype, second, b * cosine + a * sine);
  }
  for (i = 2 * p.pairs + LANE(); i < p.width; i += LANES) {
    store_number(y, p.y.dtype, i, load_number(x, p.x.dtype, i));
  }
}

// Token t's keys and values (grid x) into the row of the cache that slots[t] names. Pages are dense.
KERNEL void kv_store(GLOBAL const u8* key, i64 key_at, GLOBAL const u8* value, i64 value_at,
                     GLOBAL const u8* slots, i64 slots_at, GLOBAL u8* k_pages, i64 k_pages_at,
                     GLOBAL u8* v_pages, i64 v_pages_at, StoreParameters p) {
  i64 token = GROUP_X();
  i64 slot = ((GLOBAL const i32*)(slots + slots_at))[token];
  i32 bytes = p.page_dtype == SIMT_F32 ? 4 : 2;
  i32 head;
  i32 i;
  if (slot < 0 || slot >= p.slots) return;
  k_pages += k_pages_at + slot * p.heads * p.key_width * bytes;
  v_pages += v_pages_at + slot * p.heads * p.value_width * bytes;
  key += key_at;
  value += value_at;
  for (head = 0; head < p.heads; ++head) {
    GLOBAL const u8* from = key + row_offset(&p.key, token * p.heads + head);
    for (i = LANE(); i < p.key_width; i += LANES) {
      store_number(k_pages, p.page_dtype, (i64)head * p.key_width + i,
                   load_number(from, p.key.dtype, i));
    }
    from = value + row_offset(&p.value, token * p.heads + head);
    for (i = LANE(); i < p.value_width; i += LANES) {
      store_number(v_pages, p.page_dtype, (i64)head * p.value_width + i,
                   load_number(from, p.value.dtype, i));
    }
  }
}

// z[t] = sum over j of weights[t, j] * y[t, j], in order of j.
KERNEL void combine(GLOBAL const u8* y, i64 y_at, GLOBAL const u8* weights, i64 weights_at,
                    GLOBAL u8* z, i64 z_at, CombineParameters p) {
  i64 token = GROUP_X();
  i32 begin = (i32)GROUP_Y() * COLUMN_TILE;
  i32 end = p.length - begin < COLUMN_TILE ? p.length : begin + COLUMN_TILE;
  i32 i;
  i32 j;
  y += y_at;
  weights += weights_at + row_offset(&p.weights, token);
  z += z_at + row_offset(&p.z, token);
  for (i = begin + LANE(); i < end; i += LANES) {
    float sum = 0.0f;
    for (j = 0; j < p.chosen; ++j) {
      float part = load_number(y + row_offset(&p.y, token * p.chosen + j), p.y.dtype, i);
      sum = MULTIPLY_ADD(((GLOBAL const float*)weights)[j], part, sum);
    }
    store_number(z, p.z.dtype, i, sum);
  }
}
