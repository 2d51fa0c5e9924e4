#include "model/internal/jinja/arena.h"

#include <algorithm>
#include <cstring>

#include "model/internal/jinja/failure.h"

namespace switchyard::model::jinja {
namespace {

constexpr std::size_t kFirstChunkBytes = std::size_t{16} << 10;
constexpr std::size_t kLargestChunkBytes = std::size_t{1} << 20;

}  // namespace

Arena::~Arena() {
  for (auto it = destructors_.rbegin(); it != destructors_.rend(); ++it) it->destroy(it->object);
}

void* Arena::Allocate(std::size_t bytes, std::size_t alignment) {
  Charge(bytes);
  // Chunks come from new[], so they start aligned for every type used here.
  const std::size_t padding =
      (alignment - reinterpret_cast<std::uintptr_t>(free_) % alignment) % alignment;
  if (free_ == nullptr || bytes + padding > free_bytes_) {
    const std::size_t grown = kFirstChunkBytes << std::min<std::size_t>(chunks_.size(), 6);
    const std::size_t usual = std::min(kLargestChunkBytes, grown);
    if (bytes > usual / 4) {  // its own chunk, so that the current one stays in use
      chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes));
      return chunks_.back().get();
    }
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(usual));
    free_ = chunks_.back().get();
    free_bytes_ = usual;
    free_ += bytes;
    free_bytes_ -= bytes;
    return free_ - bytes;
  }
  std::byte* place = free_ + padding;
  free_ = place + bytes;
  free_bytes_ -= bytes + padding;
  return place;
}

std::string_view Arena::Copy(std::string_view text) {
  if (text.empty()) return {};
  Spend(text.size() / 64);
  char* place = static_cast<char*>(Allocate(text.size(), 1));
  std::memcpy(place, text.data(), text.size());
  return {place, text.size()};
}

void Arena::FailSteps() const {
  Raise(FailureKind::kLimit, "the template ran for more than {} steps", limits_.max_steps);
}

void Arena::FailMemory() const {
  Raise(FailureKind::kLimit, "the template's values need more than {} bytes",
        limits_.max_memory_bytes);
}

void Arena::FailDepth() const {
  Raise(FailureKind::kLimit, "the template recurses deeper than {} levels", limits_.max_depth);
}

void TextBuilder::Repeat(std::string_view text, std::size_t times) {
  if (text.empty() || times == 0) return;
  if (times > (limit_ - text_.size()) / text.size()) FailTooLong();
  Reserve(text.size() * times);
  text_.reserve(text_.size() + text.size() * times);
  for (std::size_t i = 0; i < times; ++i) text_.append(text);
}

void TextBuilder::FailTooLong() const {
  Raise(FailureKind::kLimit, "the template makes a text of more than {} bytes", limit_);
}

}  // namespace switchyard::model::jinja
