// A text's embedding from its tokens' final hidden states, which come chunk by chunk. One request,
// one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "model/model_config.h"

namespace switchyard::engine {

class PooledStates {
 public:
  explicit PooledStates(model::Pooling pooling) : pooling_(pooling) {}

  // Whether Add wants every token's state; else the last one's of each chunk does.
  bool needs_all() const { return pooling_ == model::Pooling::kMean; }
  // The text's next states, [rows, width].
  void Add(std::span<const float> rows, std::int64_t width);
  void Clear() { states_.clear(); }
  // To length 1, as OpenAI's are; the mean's divisor needs no care then. kInternal if there is no
  // such vector: the model or the chip is broken.
  base::Status Normalise();
  const std::vector<float>& states() const { return states_; }  // [width]

 private:
  model::Pooling pooling_;
  std::vector<float> states_;
};

}  // namespace switchyard::engine
