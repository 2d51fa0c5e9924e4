#include "engine/step_inputs.h"

#include <algorithm>

namespace switchyard::engine {

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

}  // namespace switchyard::engine
