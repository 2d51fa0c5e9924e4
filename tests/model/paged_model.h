// A model on a chip with the plainest paged KV cache: what tests need to run forward passes as an
// engine would, with odd page sizes, pages out of order and NaN wherever nothing was stored.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "base/error.h"
#include "device/device.h"
#include "device/program.h"
#include "model/architecture.h"
#include "model/checkpoint.h"
#include "model/model_weights.h"

namespace switchyard::tests {

class PagedModel {
 public:
  struct Options {
    std::filesystem::path plugin;
    std::int64_t pages = 24;
    std::int64_t page_size = 5;  // rounded up to what the chip wants
    model::ForwardOptions forward{.kv_dtype = tensor::DType::kF32};
  };

  static base::Result<std::unique_ptr<PagedModel>> Open(const std::filesystem::path& path,
                                                        const Options& options);

  // One text's tokens and where its keys and values lie.
  struct Sequence {
    std::vector<std::int32_t> tokens;
    std::int64_t cached = 0;
    std::vector<std::int32_t> pages;
  };

  // The next `count` tokens of a sequence, and which of them (counted from the first of those)
  // get logits.
  struct Item {
    Sequence* sequence;
    std::int64_t count;
    std::vector<std::int64_t> rows;
  };

  // One pass; the logits of all rows asked for, in the items' order: [rows, vocabulary].
  base::Result<std::vector<float>> Step(std::span<const Item> items);

  const model::ModelConfig& config() const { return checkpoint_.config(); }
  const model::ModelWeights& weights() const { return weights_; }

 private:
  struct Inputs;

  PagedModel(model::Checkpoint checkpoint, model::ModelWeights weights)
      : checkpoint_(std::move(checkpoint)), weights_(std::move(weights)) {}

  base::Status CreatePages();
  void GivePages(Sequence& sequence, std::int64_t tokens);
  base::Result<device::Buffer> Upload(std::span<const std::int32_t> values);

  // In the order in which they must be destroyed, last first.
  std::unique_ptr<device::Device> device_;
  model::Checkpoint checkpoint_;
  model::ModelWeights weights_;
  device::Queue queue_;
  Options options_;
  std::vector<device::Buffer> key_pages_;
  std::vector<device::Buffer> value_pages_;
  std::vector<std::int32_t> free_pages_;
};

}  // namespace switchyard::tests
