#include "engine/kv_cache.h"

#include <utility>

#include "ops/op_list.h"

namespace switchyard::engine {
namespace {

std::int64_t PagesFor(std::int64_t tokens, std::int64_t page_size) {
  return (tokens + page_size - 1) / page_size;
}

// A layer's keys or values as programs see them.
sy_tensor PagesTensor(const KvShape& shape, std::size_t layer, bool is_key) {
  const KvLayerShape& of = shape.layers[layer];
  ops::OpList list;
  return list.at(list.Argument(
      shape.dtype,
      {shape.pages, shape.page_size, of.kv_heads, is_key ? of.key_dim : of.value_dim}));
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

template <typename Visit>
base::Status KvCache::VisitPage(std::size_t page_bytes, Visit visit) const {
  SWITCHYARD_CHECK(page_bytes == shape_.PageBytes());
  std::size_t offset = 0;
  for (std::size_t layer = 0; layer < shape_.layers.size(); ++layer) {
    for (const sy_kv_part part : {SY_KV_KEYS, SY_KV_VALUES}) {
      const bool is_key = part == SY_KV_KEYS;
      const sy_tensor tensor = PagesTensor(shape_, layer, is_key);
      const auto status = visit(part, tensor, is_key ? keys_[layer] : values_[layer], offset);
      if (!status) return status;
      offset += static_cast<std::size_t>(tensor.strides[0]);
    }
  }
  return {};
}

base::Status KvCache::Export(device::Queue& queue, policy::PageId page,
                             std::span<std::byte> to) const {
  SWITCHYARD_RETURN_IF_ERROR(VisitPage(
      to.size(), [&](sy_kv_part part, const sy_tensor& pages, const device::Buffer& buffer,
                     std::size_t offset) {
        return queue.ExportKvPage(part, pages, buffer, static_cast<std::uint32_t>(page),
                                  to.data() + offset);
      }));
  return queue.Sync();
}

base::Status KvCache::Import(device::Queue& queue, policy::PageId page,
                             std::span<const std::byte> from) {
  SWITCHYARD_RETURN_IF_ERROR(VisitPage(
      from.size(), [&](sy_kv_part part, const sy_tensor& pages, const device::Buffer& buffer,
                       std::size_t offset) {
        return queue.ImportKvPage(part, pages, buffer, static_cast<std::uint32_t>(page),
                                  from.data() + offset);
      }));
  return queue.Sync();
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
