#include "stage.h"

#include <algorithm>
#include <utility>

namespace switchyard::cpu {

void RunContext::NoteFailure(Error error) {
  const std::lock_guard lock(mutex_);
  if (failure_.code == SY_OK) failure_ = std::move(error);
}

Status RunContext::failure() const {
  const std::lock_guard lock(mutex_);
  if (failure_.code == SY_OK) return {};
  return std::unexpected(failure_);
}

int PackedRows::TileWidth(std::int64_t tokens) {
  if (tokens <= 2) return static_cast<int>(tokens);
  const std::int64_t step = tokens <= 8 ? 2 : 4;
  return static_cast<int>(std::min<std::int64_t>((tokens + step - 1) / step * step, kTileTokens));
}

std::int64_t PackedRows::tokens(std::int64_t tile) const {
  return std::min<std::int64_t>(kTileTokens, rows - tile * kTileTokens);
}

std::int64_t PackedRows::row_bytes() const {
  switch (kind) {
    case kActivationInt15:
      return padded_k / kBlock * kActivationBlockBytes;
    case kActivationBF16:
      return padded_k * 2;
    default:
      return padded_k * 4;
  }
}

std::int64_t PackedRows::bytes() const {
  const std::int64_t last = tiles() - 1;
  return tile_offset(last) + TileWidth(tokens(last)) * row_bytes();
}

}  // namespace switchyard::cpu
