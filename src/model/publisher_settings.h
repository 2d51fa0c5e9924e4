// What a model's publisher ships beside the weights: the chat template, the names that it writes at
// a text's beginning and end, and the sampling that the publisher recommends. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/checkpoint.h"

namespace switchyard::model {

struct GenerationDefaults {
  std::optional<bool> sample;  // false: the publisher recommends greedy decoding
  std::optional<float> temperature;
  std::optional<std::int32_t> top_k;
  std::optional<float> top_p;
  std::optional<float> min_p;
  std::optional<float> repetition_penalty;
  std::vector<std::int32_t> end_tokens;  // beside those that the tokenizer knows
};

struct PublisherSettings {
  std::string chat_template;  // Jinja source; empty if there is none
  std::string bos_token;      // by name, as templates write it; empty if there is none
  std::string eos_token;
  GenerationDefaults generation;
};

base::Result<PublisherSettings> ReadPublisherSettings(const Checkpoint& checkpoint);

}  // namespace switchyard::model
