#include "tests/model/paged_model.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

namespace switchyard::tests {

using base::Result;
using base::Status;

Result<std::unique_ptr<PagedModel>> PagedModel::Open(const std::filesystem::path& path,
                                                     const Options& options) {
  SWITCHYARD_TRY(model::Checkpoint checkpoint, model::Checkpoint::Open(path));
  SWITCHYARD_TRY(model::ModelWeights weights,
                 model::ModelWeights::Load(checkpoint.config(), checkpoint));
  SWITCHYARD_TRY(const device::Chip chip, device::Chip::Load(options.plugin));
  std::unique_ptr<PagedModel> model(new PagedModel(std::move(checkpoint), std::move(weights)));
  SWITCHYARD_TRY(model->device_, device::Device::Open(chip, 0, {}));
  SWITCHYARD_TRY(model->queue_, device::Queue::Create(*model->device_));
  model->options_ = options;
  const std::int64_t multiple =
      std::max<std::int64_t>(model->device_->properties().kv_page_multiple, 1);
  model->options_.page_size = (options.page_size + multiple - 1) / multiple * multiple;
  SWITCHYARD_RETURN_IF_ERROR(model->CreatePages());
  return model;
}

Status PagedModel::CreatePages() {
  const model::ModelConfig& model_config = config();
  const auto rows = options_.pages * options_.page_size * model_config.kv_heads;
  const auto element = tensor::Traits(options_.forward.kv_dtype).block_bytes;
  constexpr std::uint8_t kNan = 0xff;  // every float type's all-ones pattern
  for (std::int64_t layer = 0; layer < model_config.layers; ++layer) {
    for (const bool is_key : {true, false}) {
      const auto bytes = static_cast<std::uint64_t>(
          rows * element * (is_key ? model_config.key_dim : model_config.value_dim));
      SWITCHYARD_TRY(device::Buffer buffer, device::Buffer::Create(*device_, bytes));
      SWITCHYARD_RETURN_IF_ERROR(queue_.Fill(buffer, 0, kNan, bytes));
      (is_key ? key_pages_ : value_pages_).push_back(std::move(buffer));
    }
  }
  free_pages_.resize(static_cast<std::size_t>(options_.pages));
  std::iota(free_pages_.begin(), free_pages_.end(), 0);
  std::shuffle(free_pages_.begin(), free_pages_.end(), std::mt19937(5));
  return queue_.Sync();
}

void PagedModel::GivePages(Sequence& sequence, std::int64_t tokens) {
  while (std::ssize(sequence.pages) * options_.page_size < tokens) {
    SWITCHYARD_CHECK(!free_pages_.empty());
    sequence.pages.push_back(free_pages_.back());
    free_pages_.pop_back();
  }
}

Result<device::Buffer> PagedModel::Upload(std::span<const std::int32_t> values) {
  SWITCHYARD_TRY(device::Buffer buffer, device::Buffer::Create(*device_, values.size_bytes()));
  SWITCHYARD_RETURN_IF_ERROR(queue_.Upload(buffer, 0, values.data(), values.size_bytes()));
  SWITCHYARD_RETURN_IF_ERROR(queue_.Sync());
  return buffer;
}

Result<std::vector<float>> PagedModel::Step(std::span<const Item> items) {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> slots;
  std::vector<std::int32_t> query_start{0};
  std::vector<std::int32_t> kv_length;
  std::vector<std::int32_t> rows;
  for (const Item& item : items) {
    Sequence& sequence = *item.sequence;
    for (const std::int64_t row : item.rows) {
      rows.push_back(static_cast<std::int32_t>(std::ssize(ids) + row));
    }
    GivePages(sequence, sequence.cached + item.count);
    for (std::int64_t i = 0; i < item.count; ++i, ++sequence.cached) {
      const std::int64_t position = sequence.cached;
      const auto page = sequence.pages[static_cast<std::size_t>(position / options_.page_size)];
      ids.push_back(sequence.tokens[static_cast<std::size_t>(position)]);
      positions.push_back(static_cast<std::int32_t>(position));
      slots.push_back(
          static_cast<std::int32_t>(page * options_.page_size + position % options_.page_size));
    }
    query_start.push_back(static_cast<std::int32_t>(ids.size()));
    kv_length.push_back(static_cast<std::int32_t>(sequence.cached));
  }
  // One column more than any sequence has pages; what it holds must not be read.
  std::size_t width = 1;
  for (const Item& item : items) width = std::max(width, item.sequence->pages.size() + 1);
  std::vector<std::int32_t> page_table;
  for (const Item& item : items) {
    page_table.insert(page_table.end(), item.sequence->pages.begin(), item.sequence->pages.end());
    page_table.resize(page_table.size() + width - item.sequence->pages.size(), 0);
  }

  const model::ForwardShape shape{.tokens = std::ssize(ids),
                                  .sequences = std::ssize(items),
                                  .logit_rows = std::ssize(rows),
                                  .pages = options_.pages,
                                  .page_size = options_.page_size,
                                  .pages_per_sequence = static_cast<std::int64_t>(width)};
  SWITCHYARD_TRY(const model::Forward forward,
                 model::BuildForward(config(), weights_, shape, options_.forward));
  const device::Target target{.chip = device_.get(), .queue = &queue_};
  SWITCHYARD_TRY(const auto program, device::Program::Create(forward.ops, weights_.table(), target,
                                                             device::KvHome::kChip));

  std::vector<device::Argument> arguments(forward.ops.slot_count());
  std::vector<device::Buffer> buffers;
  buffers.reserve(arguments.size());
  const auto bind = [&](std::uint32_t slot, const std::vector<std::int32_t>& values) -> Status {
    SWITCHYARD_TRY(device::Buffer buffer, Upload(values));
    buffers.push_back(std::move(buffer));
    arguments[slot] = {&buffers.back(), 0, values.data()};
    return {};
  };
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.token_ids, ids));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.positions, positions));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.kv_slots, slots));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.page_table, page_table));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.query_start, query_start));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.kv_length, kv_length));
  SWITCHYARD_RETURN_IF_ERROR(bind(forward.logit_rows, rows));
  for (std::size_t layer = 0; layer < key_pages_.size(); ++layer) {
    arguments[forward.key_pages[layer]].buffer = &key_pages_[layer];
    arguments[forward.value_pages[layer]].buffer = &value_pages_[layer];
  }
  std::vector<float> logits(rows.size() * static_cast<std::size_t>(config().vocabulary));
  const std::uint64_t bytes = logits.size() * sizeof(float);
  SWITCHYARD_TRY(const device::Buffer output, device::Buffer::Create(*device_, bytes));
  arguments[forward.logits].buffer = &output;
  SWITCHYARD_RETURN_IF_ERROR(program->Run(arguments));
  SWITCHYARD_RETURN_IF_ERROR(queue_.Download(logits.data(), output, 0, bytes));
  SWITCHYARD_RETURN_IF_ERROR(queue_.Sync());
  return logits;
}

}  // namespace switchyard::tests
