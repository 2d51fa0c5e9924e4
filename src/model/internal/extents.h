// Tensors' places in a weight file, checked against one another. Used by the readers of both file
// kinds while they open a file.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::model::internal {

struct Extent {
  std::string_view name;
  std::span<const std::byte> data;
};

// Fails if two of `extents`, which lie in `file`, share a byte; names both.
base::Status CheckNoOverlap(std::span<const std::byte> file, std::vector<Extent> extents);

}  // namespace switchyard::model::internal
