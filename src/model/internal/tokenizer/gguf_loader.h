// Makes a tokenizer from the metadata of a GGUF file (the keys under tokenizer.ggml).
#pragma once

#include <memory>

#include "base/error.h"
#include "model/gguf.h"
#include "model/tokenizer.h"

namespace switchyard::model::tokenization {

base::Result<std::unique_ptr<Tokenizer>> LoadGguf(const GgufFile& file);

}  // namespace switchyard::model::tokenization
