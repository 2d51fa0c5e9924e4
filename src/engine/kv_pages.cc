#include "engine/kv_pages.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string_view>
#include <utility>

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using base::Fail;

// Numbers are written as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "SYKV";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kDigestBytes = std::tuple_size_v<base::Sha256Digest>;
constexpr std::size_t kModelBytes = 2 * kDigestBytes;
constexpr std::size_t kFixedBytes = kMagic.size() + 6 * sizeof(std::uint32_t) + kModelBytes;
constexpr std::size_t kLayerBytes = 3 * sizeof(std::uint32_t);
// Far above any model's, and products stay within 64 bits.
constexpr std::int64_t kMaxLayers = 1 << 12;
constexpr std::int64_t kMaxDim = 1 << 14;
constexpr std::int64_t kMaxPageSize = 1 << 16;

// Takes values off the front; whoever calls has seen that they are there.
class Reader {
 public:
  explicit Reader(std::string_view rest) : rest_(rest) {}

  std::string_view Take(std::size_t bytes) {
    SWITCHYARD_CHECK(bytes <= rest_.size());
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::uint32_t Number() {
    std::uint32_t value = 0;
    std::memcpy(&value, Take(sizeof value).data(), sizeof value);
    return value;
  }
  std::size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
};

void Append(std::string& bytes, std::int64_t number) {
  const auto value = static_cast<std::uint32_t>(number);
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::span<const std::byte> AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }

bool IsHexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

base::Error Truncated() {
  return {ErrorCode::kInvalidArgument,
          "the KV pages end before their time: they were cut off on the way, so send them again"};
}

base::Status CheckChecksum(std::string_view bytes) {
  base::Sha256 hash;
  hash.Update(AsBytes(bytes.substr(0, bytes.size() - kDigestBytes)));
  const base::Sha256Digest digest = hash.Digest();
  const std::string_view given = bytes.substr(bytes.size() - kDigestBytes);
  if (std::memcmp(digest.data(), given.data(), digest.size()) == 0) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "the checksum of the KV pages does not fit them: they were cut off or changed on the "
              "way, so send them again");
}

base::Status ReadShape(Reader& reader, std::uint32_t layers, KvShape& shape) {
  using tensor::DType;
  if (shape.dtype != DType::kF32 && shape.dtype != DType::kF16 && shape.dtype != DType::kBF16) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages have the element type {}, and it must be 0 (f32), 1 (f16) or 2 "
                "(bf16)",
                static_cast<std::uint32_t>(shape.dtype));
  }
  if (shape.page_size < 1 || shape.page_size > kMaxPageSize || layers < 1 || layers > kMaxLayers) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages have {} layers and {} tokens each, which cannot be", layers,
                shape.page_size);
  }
  if (reader.left() < layers * kLayerBytes) return std::unexpected(Truncated());
  for (std::uint32_t i = 0; i < layers; ++i) {
    const KvLayerShape layer{reader.Number(), reader.Number(), reader.Number()};
    for (const std::int64_t dim : {layer.kv_heads, layer.key_dim, layer.value_dim}) {
      if (dim >= 1 && dim <= kMaxDim) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  "layer {} of the KV pages has {} heads with keys of {} and values of {} "
                  "elements, which cannot be",
                  i, layer.kv_heads, layer.key_dim, layer.value_dim);
    }
    shape.layers.push_back(layer);
  }
  return {};
}

// Calls visit(row bytes) for each part of a page in their order: a layer's keys, then its values.
template <typename Visit>
void ForEachPart(const KvShape& shape, Visit visit) {
  const auto element = static_cast<std::size_t>(tensor::Traits(shape.dtype).block_bytes);
  for (const KvLayerShape& layer : shape.layers) {
    for (const std::int64_t dim : {layer.key_dim, layer.value_dim}) {
      visit(static_cast<std::size_t>(layer.kv_heads * dim) * element);
    }
  }
}

}  // namespace

std::uint64_t KvPagesHead::EmptyBytes() const {
  return kFixedBytes + shape.layers.size() * kLayerBytes + tokens.size() * sizeof(std::int32_t) +
         kDigestBytes;
}

base::Status CheckFits(const KvPagesHead& head, const KvShape& own) {
  if (head.shape.layers != own.layers) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages have {} layers, or heads in them, that this model with its {} layers "
                "does not have: they are another model's",
                head.shape.layers.size(), own.layers.size());
  }
  if (head.shape.dtype != own.dtype) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages hold {} and this server's cache {}, and they are not converted: "
                "start both with the same --kv-type",
                tensor::Name(head.shape.dtype), tensor::Name(own.dtype));
  }
  return {};
}

base::Result<KvPages> KvPages::Parse(std::string bytes) {
  KvPages pages;
  pages.bytes_ = std::move(bytes);
  if (!pages.bytes_.starts_with(kMagic)) {
    return Fail(ErrorCode::kInvalidArgument, "these are no KV pages, which begin with '{}'",
                kMagic);
  }
  if (pages.bytes_.size() < kFixedBytes + kDigestBytes) return std::unexpected(Truncated());
  Reader reader(std::string_view(pages.bytes_).substr(0, pages.bytes_.size() - kDigestBytes));
  reader.Take(kMagic.size());
  if (const std::uint32_t version = reader.Number(); version != kVersion) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages are of version {}, and this server reads version {}", version,
                kVersion);
  }
  SWITCHYARD_RETURN_IF_ERROR(CheckChecksum(pages.bytes_));

  KvPagesHead& head = pages.head_;
  head.model = reader.Take(kModelBytes);
  if (!IsHexadecimal(head.model)) {
    return Fail(ErrorCode::kInvalidArgument,
                "the KV pages name their model by something else than a SHA-256");
  }
  head.shape.dtype = tensor::DType{reader.Number()};
  head.shape.page_size = reader.Number();
  const std::uint32_t layers = reader.Number();
  head.shape.pages = reader.Number();
  const std::uint32_t tokens = reader.Number();
  SWITCHYARD_RETURN_IF_ERROR(ReadShape(reader, layers, head.shape));
  if (reader.left() < tokens * sizeof(std::int32_t)) return std::unexpected(Truncated());
  head.tokens.resize(tokens);
  for (model::TokenId& token : head.tokens) token = static_cast<model::TokenId>(reader.Number());
  if (std::ranges::any_of(head.tokens, [](model::TokenId token) { return token < 0; })) {
    return Fail(ErrorCode::kInvalidArgument, "the KV pages are of a text with negative token ids");
  }
  if (head.shape.pages < 1 || head.first_token() < 0 || tokens % head.shape.page_size != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "{} KV pages of {} tokens cannot be the end of {} tokens", head.shape.pages,
                head.shape.page_size, tokens);
  }
  pages.pages_at_ = pages.bytes_.size() - kDigestBytes - reader.left();
  const std::uint64_t page_bytes = head.shape.PageBytes();
  const std::uint64_t left = reader.left();
  if (left / page_bytes != static_cast<std::uint64_t>(head.shape.pages) || left % page_bytes != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                "{} KV pages have {} bytes each, and {} bytes came", head.shape.pages, page_bytes,
                left);
  }
  return pages;
}

void KvPages::CopyPage(std::int64_t first_token, std::int64_t page_size,
                       std::span<std::byte> to) const {
  const KvShape& shape = head_.shape;
  SWITCHYARD_CHECK(first_token >= head_.first_token() &&
                   first_token + page_size <= std::ssize(head_.tokens));
  const auto page_bytes = static_cast<std::size_t>(shape.PageBytes());
  const std::byte* pages = AsBytes(bytes_).data() + pages_at_;
  std::size_t part_at = 0;  // in a page that is here
  std::size_t to_at = 0;
  ForEachPart(shape, [&](std::size_t row_bytes) {
    for (std::int64_t done = 0; done < page_size;) {
      const std::int64_t at = first_token - head_.first_token() + done;
      const std::int64_t row = at % shape.page_size;
      const std::int64_t rows = std::min(shape.page_size - row, page_size - done);
      const auto bytes = static_cast<std::size_t>(rows) * row_bytes;
      std::memcpy(to.data() + to_at,
                  pages + static_cast<std::size_t>(at / shape.page_size) * page_bytes + part_at +
                      static_cast<std::size_t>(row) * row_bytes,
                  bytes);
      to_at += bytes;
      done += rows;
    }
    part_at += static_cast<std::size_t>(shape.page_size) * row_bytes;
  });
  SWITCHYARD_CHECK(to_at == to.size());
}

KvPagesWriter::KvPagesWriter(const KvPagesHead& head)
    : page_bytes_(static_cast<std::size_t>(head.shape.PageBytes())) {
  bytes_.reserve(static_cast<std::size_t>(head.EmptyBytes()) +
                 static_cast<std::size_t>(head.shape.pages) * page_bytes_);
  bytes_ += kMagic;
  Append(bytes_, kVersion);
  SWITCHYARD_CHECK(head.model.size() == kModelBytes);
  bytes_ += head.model;
  Append(bytes_, static_cast<std::int64_t>(head.shape.dtype));
  Append(bytes_, head.shape.page_size);
  Append(bytes_, std::ssize(head.shape.layers));
  Append(bytes_, head.shape.pages);
  Append(bytes_, std::ssize(head.tokens));
  for (const KvLayerShape& layer : head.shape.layers) {
    Append(bytes_, layer.kv_heads);
    Append(bytes_, layer.key_dim);
    Append(bytes_, layer.value_dim);
  }
  for (const model::TokenId token : head.tokens) Append(bytes_, token);
}

void KvPagesWriter::HashNew() {
  hash_.Update(AsBytes(bytes_).subspan(hashed_));
  hashed_ = bytes_.size();
}

std::span<std::byte> KvPagesWriter::NextPage() {
  HashNew();
  ++pages_;
  bytes_.resize(bytes_.size() + page_bytes_);
  return std::as_writable_bytes(std::span(bytes_)).last(page_bytes_);
}

std::string KvPagesWriter::Finish() {
  HashNew();
  const base::Sha256Digest digest = hash_.Digest();
  bytes_.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return std::move(bytes_);
}

}  // namespace switchyard::engine
