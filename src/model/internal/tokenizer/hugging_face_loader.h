// Makes a tokenizer from the texts of tokenizer.json and tokenizer_config.json.
#pragma once

#include <memory>
#include <string_view>

#include "base/error.h"
#include "model/tokenizer.h"

namespace switchyard::model::tokenization {

base::Result<std::unique_ptr<Tokenizer>> LoadHuggingFace(std::string_view tokenizer_json,
                                                         std::string_view tokenizer_config);

}  // namespace switchyard::model::tokenization
