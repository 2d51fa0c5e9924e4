// The index of a model in several safetensors files: which shard holds which tensor. Pure; safe
// from any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace switchyard::model::internal {

struct ShardPlace {
  std::string tensor;
  std::string shard;  // a plain file name, ".safetensors" at its end
};

// At least one place, in the order of the text. Names that would lead out of the index's folder are
// refused.
base::Result<std::vector<ShardPlace>> ParseSafetensorsIndex(std::span<const std::byte> text);

}  // namespace switchyard::model::internal
