// Attention over the paged KV cache. Work is shared out by (sequence, key/value head, block of
// queries); where that gives too few portions, as in decoding one sequence, also by ranges of
// 128-position chunks, whose results a row step then merges in order. Both ways do the same
// arithmetic on each row.
#pragma once

#include <memory>
#include <vector>

#include "op_rules.h"
#include "row_stage.h"
#include "stage.h"

namespace switchyard::cpu {

struct AttentionPlan {
  explicit AttentionPlan(const OpView& op, int threads);

  // Floats that split portions keep for the merge.
  std::int64_t partial_floats() const { return partial_chunks * (dv + 2); }

  Operand q;
  Operand k_pages;
  Operand v_pages;
  Operand page_table;
  Operand query_start;
  Operand kv_length;
  Operand y;
  const float* sinks;
  float scale;
  float softcap;
  std::int64_t window;
  int threads;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t heads_each;  // query heads of a key/value head
  std::int64_t d;
  std::int64_t dv;
  std::int64_t page_size;
  std::int64_t rows_of_item;
  std::int64_t partial_chunks;  // (row, head, chunk) triples that the partials have room for
  std::uint32_t partial_root = kNoRoot;

  // Of the current run, made by the stage's Open.
  struct Item {
    std::int64_t sequence;
    std::int64_t kv_head;
    std::int64_t row_begin;  // rows of q
    std::int64_t row_end;
    std::int64_t position;  // of the first row
    std::int64_t chunk_begin;
    std::int64_t chunk_end;
    std::int64_t partial;       // index of the first of its triples, or -1 when it is not split
    std::int64_t partial_step;  // triples of each (row, head)
    std::int64_t first_chunk;   // of all that its rows see
  };
  std::vector<Item> items;
  struct Row {
    std::int64_t position = -1;  // -1: no sequence owns the row
    std::int64_t first_chunk = 0;
    std::int64_t last_chunk = 0;        // one past it
    std::vector<std::int64_t> partial;  // of each key/value head, or empty
  };
  std::vector<Row> rows;

  std::int64_t FirstVisible(std::int64_t position) const {
    return window > 0 && position + 1 > window ? position + 1 - window : 0;
  }
};

std::unique_ptr<Stage> MakeAttention(std::shared_ptr<AttentionPlan> plan);
// Merges what was split, and zeroes rows that no sequence owns.
std::unique_ptr<RowStep> MakeAttentionFinish(std::shared_ptr<AttentionPlan> plan);

}  // namespace switchyard::cpu
