#include "kv_pages.h"

#include <cstring>

#include "device.h"
#include "operand.h"

namespace switchyard::cpu {
namespace {

struct Page {
  char* address = nullptr;
  bool is_key = false;
  std::int64_t positions = 0;  // P
  std::int64_t heads = 0;      // G
  std::int64_t width = 0;      // d
  std::int64_t element = 0;    // bytes

  // Where an element of the neutral [P, G, d] lies inside.
  char* At(std::int64_t p, std::int64_t g, std::int64_t i) const {
    const std::int64_t head = g * positions * width;
    if (!is_key) return address + (head + p * width + i) * element;
    return address +
           (head + p / kKeyBlock * kKeyBlock * width + i * kKeyBlock + p % kKeyBlock) * element;
  }
};

Result<Page> FindPage(sy_kv_part part, const sy_tensor* pages, const sy_binding* binding,
                      std::uint32_t index) {
  if (pages == nullptr || binding == nullptr || binding->buffer == nullptr) {
    return Fail(SY_INVALID_ARGUMENT, "the pages, their binding or its buffer is null");
  }
  Page page;
  page.element = ElementBytes(pages->dtype);
  constexpr std::int64_t kLimit = std::int64_t{1} << 15;  // keeps products in range
  bool is_usable = pages->rank == 4 && (page.element == 2 || page.element == 4) &&
                   index < pages->dims[0];
  for (int i = 1; is_usable && i < 4; ++i) {
    is_usable = pages->dims[i] >= 1 && pages->dims[i] <= kLimit;
  }
  if (!is_usable || pages->dims[1] % kKeyBlock != 0) {
    return Fail(SY_INVALID_ARGUMENT,
                "page %u of a tensor that is not [n, P, G, d] of floats with P a "
                "multiple of %d",
                index, kKeyBlock);
  }
  if (part > SY_KV_VALUES) return Fail(SY_INVALID_ARGUMENT, "there is no KV part %u", part);
  page.is_key = part == SY_KV_KEYS;
  page.positions = pages->dims[1];
  page.heads = pages->dims[2];
  page.width = pages->dims[3];
  const auto bytes =
      static_cast<std::uint64_t>(page.positions * page.heads * page.width * page.element);
  const std::uint64_t size = binding->buffer->memory.size();
  if (binding->offset_bytes > size || (size - binding->offset_bytes) / bytes <= index) {
    return Fail(SY_INVALID_ARGUMENT, "page %u lies outside of its buffer", index);
  }
  page.address = binding->buffer->memory.data() + binding->offset_bytes + index * bytes;
  return page;
}

// Calls copy(inside, neutral offset, bytes) for every dense piece of the page. The size of an
// element is known when this is compiled, since those of keys are copied one by one.
template <std::size_t kElement, class Copy>
void ForEachPieceOf(const Page& page, Copy copy) {
  for (std::int64_t p = 0; p < page.positions; ++p) {
    for (std::int64_t g = 0; g < page.heads; ++g) {
      const std::int64_t row = (p * page.heads + g) * page.width;
      if (!page.is_key) {
        copy(page.At(p, g, 0), row * page.element, static_cast<std::size_t>(page.width) * kElement);
        continue;
      }
      for (std::int64_t i = 0; i < page.width; ++i) {
        copy(page.At(p, g, i), (row + i) * page.element, kElement);
      }
    }
  }
}

template <class Copy>
void ForEachPiece(const Page& page, Copy copy) {
  if (page.element == 2) return ForEachPieceOf<2>(page, copy);
  ForEachPieceOf<4>(page, copy);
}

}  // namespace

Status ExportPage(sy_kv_part part, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t index, char* to) {
  const auto page = FindPage(part, pages, binding, index);
  if (!page) return std::unexpected(page.error());
  ForEachPiece(*page, [&](const char* inside, std::int64_t offset, std::size_t bytes) {
    std::memcpy(to + offset, inside, bytes);
  });
  return {};
}

Status ImportPage(sy_kv_part part, const sy_tensor* pages, const sy_binding* binding,
                  std::uint32_t index, const char* from) {
  const auto page = FindPage(part, pages, binding, index);
  if (!page) return std::unexpected(page.error());
  ForEachPiece(*page, [&](char* inside, std::int64_t offset, std::size_t bytes) {
    std::memcpy(inside, from + offset, bytes);
  });
  return {};
}

}  // namespace switchyard::cpu
