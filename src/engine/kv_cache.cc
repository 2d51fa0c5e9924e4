#include "engine/kv_cache.h"

#include <utility>

namespace switchyard::engine {
namespace {

std::int64_t PagesFor(std::int64_t tokens, std::int64_t page_size) {
  return (tokens + page_size - 1) / page_size;
}

}  // namespace

KvShape KvShape::Of(const model::ModelConfig& config, tensor::DType dtype, std::int64_t page_size,
                    std::int64_t pages) {
  const KvLayerShape layer{config.kv_heads, config.key_dim, config.value_dim};
  return {std::vector(static_cast<std::size_t>(config.layers), layer), dtype, page_size, pages};
}

std::uint64_t KvShape::BytesPerToken() const {
  const auto element = static_cast<std::uint64_t>(tensor::Traits(dtype).block_bytes);
  std::uint64_t bytes = 0;
  for (const KvLayerShape& layer : layers) {
    bytes +=
        static_cast<std::uint64_t>(layer.kv_heads * (layer.key_dim + layer.value_dim)) * element;
  }
  return bytes;
}

base::Result<KvCache> KvCache::Create(device::Device& home, KvShape shape) {
  KvCache cache;
  const auto element = static_cast<std::uint64_t>(tensor::Traits(shape.dtype).block_bytes);
  const auto rows = static_cast<std::uint64_t>(shape.pages * shape.page_size);
  for (const KvLayerShape& layer : shape.layers) {
    const auto bytes = [&](std::int64_t dim) {
      return rows * static_cast<std::uint64_t>(layer.kv_heads * dim) * element;
    };
    for (const auto& [buffers, dim] :
         {std::pair(&cache.keys_, layer.key_dim), std::pair(&cache.values_, layer.value_dim)}) {
      auto buffer = device::Buffer::Create(home, bytes(dim));
      if (!buffer) {
        return base::Rethrow(std::move(buffer.error()),
                             "a KV cache of {} tokens needs {} MiB; choose a smaller context", rows,
                             rows * shape.BytesPerToken() >> 20);
      }
      buffers->push_back(std::move(*buffer));
    }
  }
  cache.pool_ = policy::PagePool(shape.pages, shape.page_size);
  cache.shape_ = std::move(shape);
  return cache;
}

base::Status KvCache::Reserve(std::vector<std::int32_t>& pages, std::int64_t tokens) {
  const std::int64_t more =
      PagesFor(tokens, shape_.page_size) - static_cast<std::int64_t>(pages.size());
  if (more <= 0 || pool_.Take(more, pages)) return {};
  return base::Fail(base::ErrorCode::kResourceExhausted,
                    "the KV cache is full: {} tokens need {} more pages of {} and {} are free",
                    tokens, more, shape_.page_size, pool_.available());
}

void KvCache::Shrink(std::vector<std::int32_t>& pages, std::int64_t tokens) {
  pool_.Release(pages, PagesFor(tokens, shape_.page_size));
}

}  // namespace switchyard::engine
