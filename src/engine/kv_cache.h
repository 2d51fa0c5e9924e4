// The paged KV cache: for each layer one buffer of key pages and one of value pages, and a pool of
// page numbers that all layers share. A sequence holds a list of pages; token t of it lies in page
// t / P, row t % P. It is only a cache: a sequence's state is its tokens, and pages can always be
// recomputed. Which pages texts share is for whoever runs them together to say, through the pool.
//
// One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "device/device.h"
#include "model/model_config.h"
#include "model/tokenizer.h"
#include "policy/page_pool.h"
#include "tensor/dtype.h"

namespace switchyard::engine {

struct KvLayerShape {
  std::int64_t kv_heads;
  std::int64_t key_dim;
  std::int64_t value_dim;
  bool operator==(const KvLayerShape&) const = default;
};

struct KvShape {
  std::vector<KvLayerShape> layers;
  tensor::DType dtype = tensor::DType::kF16;
  std::int64_t page_size = 32;  // tokens
  std::int64_t pages = 0;

  // Of a model, with the layers that it has.
  static KvShape Of(const model::ModelConfig& config, tensor::DType dtype, std::int64_t page_size,
                    std::int64_t pages);

  std::uint64_t BytesPerToken() const;
  std::uint64_t PageBytes() const {
    return BytesPerToken() * static_cast<std::uint64_t>(page_size);
  }
};

class KvCache {
 public:
  // All memory is taken now; kResourceExhausted says how much was asked for.
  static base::Result<KvCache> Create(device::Device& home, KvShape shape);

  const KvShape& shape() const { return shape_; }
  const device::Buffer& keys(std::size_t layer) const { return keys_[layer]; }  // [pages,P,G,d]
  const device::Buffer& values(std::size_t layer) const {
    return values_[layer];
  }  // [pages,P,G,dv]

  // Extends `pages` so that they hold `tokens` tokens; on failure they are unchanged.
  base::Status Reserve(std::vector<std::int32_t>& pages, std::int64_t tokens);
  // Gives back the pages beyond those that hold `tokens` tokens.
  void Shrink(std::vector<std::int32_t>& pages, std::int64_t tokens);
  // One page of every layer to or from host memory: for each layer its keys [P,G,d], then its
  // values [P,G,dv], whatever the chip keeps inside. `queue` is of the device that holds the cache;
  // waits for it.
  base::Status Export(device::Queue& queue, policy::PageId page, std::span<std::byte> to) const;
  base::Status Import(device::Queue& queue, policy::PageId page, std::span<const std::byte> from);
  policy::PagePool& pool() { return pool_; }
  const policy::PagePool& pool() const { return pool_; }

 private:
  // Calls visit(part, tensor, buffer, offset) for each part of a page, until one fails.
  template <typename Visit>
  base::Status VisitPage(std::size_t page_bytes, Visit visit) const;

  KvShape shape_;
  std::vector<device::Buffer> keys_;
  std::vector<device::Buffer> values_;
  policy::PagePool pool_;
};

}  // namespace switchyard::engine
