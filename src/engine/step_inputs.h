// The integers that tell a forward pass what one step of several sequences is: which tokens, where
// they sit, and where their keys and values lie. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/architecture.h"
#include "model/tokenizer.h"

namespace switchyard::engine {

using model::TokenId;

// One text: its tokens so far, and how many of them the KV cache holds.
struct Sequence {
  std::vector<TokenId> tokens;
  std::int64_t cached = 0;
  std::vector<std::int32_t> pages;  // enough for all tokens of the step
};

// The next `count` uncached tokens of a sequence.
struct StepItem {
  Sequence* sequence;
  std::int64_t count;
  bool all_logits = false;  // of every token; else of the last only
};

// What a program is planned for.
struct StepShape {
  std::int64_t tokens = 0;
  std::int64_t sequences = 0;
  std::int64_t logit_rows = 0;
  auto operator<=>(const StepShape&) const = default;

  static StepShape Of(std::span<const StepItem> items);
  // A shape of few that holds this one, so that the steps of a batch that changes all the time
  // share programs. A step that wants some tokens' logits, but neither each sequence's last nor
  // all, keeps its own.
  StepShape Rounded() const;
};

// Each as model::Forward's argument of the same name wants it.
struct StepInputs {
  std::vector<std::int32_t> token_ids;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> kv_slots;
  std::vector<std::int32_t> page_table;
  std::vector<std::int32_t> query_start;
  std::vector<std::int32_t> kv_length;
  std::vector<std::int32_t> logit_rows;

  static StepInputs Of(std::span<const StepItem> items, std::int64_t page_size,
                       std::int64_t pages_per_sequence);
  // Adds tokens that are stored nowhere and belong to no sequence, sequences of no token, and rows
  // that nobody reads, up to `shape`.
  void PadTo(const StepShape& shape, std::int64_t pages_per_sequence);
};

}  // namespace switchyard::engine
