#include "engine/step_inputs.h"

#include <algorithm>
#include <bit>

namespace switchyard::engine {
namespace {

std::int64_t PowerOfTwo(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(value)));
}

// 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: a third is wasted at most.
std::int64_t RoundTokens(std::int64_t value) {
  const std::int64_t power = PowerOfTwo(value);
  return value <= power / 4 * 3 && power >= 4 ? power / 4 * 3 : power;
}

// 1, 4, 16, 64, ...: a sequence of no token costs nothing, a row of logits little beside a prompt.
std::int64_t RoundSequences(std::int64_t value) {
  const std::int64_t power = PowerOfTwo(value);
  return std::countr_zero(static_cast<std::uint64_t>(power)) % 2 == 0 ? power : 2 * power;
}

}  // namespace

StepShape StepShape::Of(std::span<const StepItem> items) {
  StepShape shape{0, static_cast<std::int64_t>(items.size()), 0};
  for (const StepItem& item : items) {
    shape.tokens += item.count;
    shape.logit_rows += item.all_logits ? item.count : 1;
  }
  return shape;
}

StepShape StepShape::Rounded() const {
  if (tokens == sequences) {  // decoding: token i is sequence i and row i
    const std::int64_t rounded = RoundTokens(tokens);
    return {rounded, rounded, rounded};
  }
  const bool is_all = logit_rows == tokens;  // hidden states of all tokens, in order
  if (!is_all && logit_rows != sequences) return *this;
  const std::int64_t rows = RoundSequences(sequences);
  // With as many rows as tokens they would be all of them in order, which the last ones are not.
  const std::int64_t padded = RoundTokens(std::max(tokens, rows + 1));
  return {padded, rows, is_all ? padded : rows};
}

StepInputs StepInputs::Of(std::span<const StepItem> items, std::int64_t page_size,
                          std::int64_t pages_per_sequence) {
  StepInputs inputs;
  inputs.page_table.resize(items.size() * static_cast<std::size_t>(pages_per_sequence));
  auto table_row = inputs.page_table.begin();
  for (const StepItem& item : items) {
    const Sequence& sequence = *item.sequence;
    inputs.query_start.push_back(static_cast<std::int32_t>(inputs.token_ids.size()));
    inputs.kv_length.push_back(static_cast<std::int32_t>(sequence.cached + item.count));
    std::ranges::copy(sequence.pages, table_row);
    table_row += static_cast<std::ptrdiff_t>(pages_per_sequence);
    for (std::int64_t i = 0; i < item.count; ++i) {
      const std::int64_t position = sequence.cached + i;
      if (item.all_logits || i + 1 == item.count) {
        inputs.logit_rows.push_back(static_cast<std::int32_t>(inputs.token_ids.size()));
      }
      inputs.token_ids.push_back(sequence.tokens[static_cast<std::size_t>(position)]);
      inputs.positions.push_back(static_cast<std::int32_t>(position));
      const std::int32_t page = sequence.pages[static_cast<std::size_t>(position / page_size)];
      inputs.kv_slots.push_back(static_cast<std::int32_t>(page * page_size + position % page_size));
    }
  }
  inputs.query_start.push_back(static_cast<std::int32_t>(inputs.token_ids.size()));
  return inputs;
}

void StepInputs::PadTo(const StepShape& shape, std::int64_t pages_per_sequence) {
  const auto tokens = static_cast<std::size_t>(shape.tokens);
  const auto sequences = static_cast<std::size_t>(shape.sequences);
  token_ids.resize(tokens, 0);
  positions.resize(tokens, 0);
  kv_slots.resize(tokens, -1);
  page_table.resize(sequences * static_cast<std::size_t>(pages_per_sequence), 0);
  query_start.resize(sequences + 1, query_start.back());
  kv_length.resize(sequences, 0);
  logit_rows.resize(static_cast<std::size_t>(shape.logit_rows), 0);
}

}  // namespace switchyard::engine
