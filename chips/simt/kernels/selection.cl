// The k largest of a row: one work-group a row (grid x). Each round finds the element that comes next
// after the one found before, in the order: larger first, the lower index first among equals, NaN
// last; so nothing need be marked or kept.

// Unsigned integers in the order of floats; both zeros are one, NaN is below all.
DEVICE u32 order_of(float value) {
  u32 bits = BITS_OF_FLOAT(value);
  if (!(value == value)) return 0u;
  if ((bits & 0x7fffffffu) == 0u) return 0x80000000u;
  return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}

DEVICE i32 comes_before(u32 order, i32 index, u32 other_order, i32 other_index) {
  return order > other_order || (order == other_order && index < other_index);
}

// The first of all lanes' candidates, known to every lane. An index of `none` is no candidate.
DEVICE i32 first_of_group(u32 order, i32 index, LOCAL u32* orders, LOCAL i32* indices) {
  i32 lane = LANE();
  i32 step;
  i32 result;
  orders[lane] = order;
  indices[lane] = index;
  BARRIER();
  for (step = LANES / 2; step > 0; step /= 2) {
    if (lane < step && comes_before(orders[lane + step], indices[lane + step], orders[lane],
                                    indices[lane])) {
      orders[lane] = orders[lane + step];
      indices[lane] = indices[lane + step];
    }
    BARRIER();
  }
  result = indices[0];
  BARRIER();
  return result;
}

KERNEL void top_k(GLOBAL const u8* x, i64 x_at, GLOBAL u8* values, i64 values_at, GLOBAL u8* ids,
                  i64 ids_at, SelectParameters p) {
  LOCAL_ARRAY(u32, orders, LANES);
  LOCAL_ARRAY(i32, indices, LANES);
  i64 row = GROUP_X();
  u32 last_order = 0xffffffffu;  // which only a NaN could have
  i32 last_index = -1;
  i32 k;
  i32 i;
  x += x_at + row_offset(&p.x, row);
  values += values_at + row_offset(&p.first, row);
  ids += ids_at + row_offset(&p.second, row);
  for (k = 0; k < p.chosen; ++k) {
    u32 best_order = 0u;
    i32 best_index = p.length;
    for (i = LANE(); i < p.length; i += LANES) {
      u32 order = order_of(load_number(x, p.x.dtype, i));
      if (comes_before(last_order, last_index, order, i) &&
          comes_before(order, i, best_order, best_index)) {
        best_order = order;
        best_index = i;
      }
    }
    last_index = first_of_group(best_order, best_index, orders, indices);
    last_order = order_of(load_number(x, p.x.dtype, last_index));
    if (LANE() == 0) {
      ((GLOBAL float*)values)[k] = load_number(x, p.x.dtype, last_index);
      ((GLOBAL i32*)ids)[k] = last_index;
    }
  }
}

DEVICE float router_score(float logit, float largest, float sum, i32 is_sigmoid) {
  if (is_sigmoid) return 1.0f / (1.0f + exponential(-logit));
  return exponential(logit - largest) / sum;
}

KERNEL void router_top_k(GLOBAL const u8* x, i64 x_at, GLOBAL const u8* bias, i64 bias_at,
                         GLOBAL u8* ids, i64 ids_at, GLOBAL u8* weights, i64 weights_at,
                         SelectParameters p) {
  LOCAL_ARRAY(float, scratch, LANES);
  LOCAL_ARRAY(u32, orders, LANES);
  LOCAL_ARRAY(i32, indices, LANES);
  i64 row = GROUP_X();
  float largest = FLOAT_OF_BITS(0xff800000u);
  float sum = 0.0f;
  float chosen_sum = 0.0f;
  u32 last_order = 0xffffffffu;
  i32 last_index = -1;
  i32 k;
  i32 i;
  x += x_at + row_offset(&p.x, row);
  ids += ids_at + row_offset(&p.first, row);
  weights += weights_at + row_offset(&p.second, row);
  bias += bias_at;
  if (!p.is_sigmoid) {
    for (i = LANE(); i < p.length; i += LANES) {
      float logit = load_number(x, p.x.dtype, i);
      if (!(logit <= largest)) largest = logit;
    }
    largest = group_max(largest, scratch);
    for (i = LANE(); i < p.length; i += LANES) {
      sum += exponential(load_number(x, p.x.dtype, i) - largest);
    }
    sum = group_sum(sum, scratch);
  }
  for (k = 0; k < p.chosen; ++k) {
    u32 best_order = 0u;
    i32 best_index = p.length;
    float score;
    for (i = LANE(); i < p.length; i += LANES) {
      u32 order;
      score = router_score(load_number(x, p.x.dtype, i), largest, sum, p.is_sigmoid);
      if (p.has_bias) score += ((GLOBAL const float*)bias)[i];
      order = order_of(score);
      if (comes_before(last_order, last_index, order, i) &&
          comes_before(order, i, best_order, best_index)) {
        best_order = order;
        best_index = i;
      }
    }
    last_index = first_of_group(best_order, best_index, orders, indices);
    score = router_score(load_number(x, p.x.dtype, last_index), largest, sum, p.is_sigmoid);
    chosen_sum += score;
    last_order =
        order_of(p.has_bias ? score + ((GLOBAL const float*)bias)[last_index] : score);
    if (LANE() == 0) {
      ((GLOBAL i32*)ids)[k] = last_index;
      ((GLOBAL float*)weights)[k] = score * p.scale;
    }
  }
  if (LANE() == 0 && p.renormalises) {
    for (k = 0; k < p.chosen; ++k) {
      ((GLOBAL float*)weights)[k] = ((GLOBAL float*)weights)[k] / chosen_sum;
    }
  }
}
