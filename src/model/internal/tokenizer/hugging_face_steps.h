// The normalizers, pre-tokenizers and decoders that a tokenizer.json describes.
#pragma once

#include <memory>

#include "base/error.h"
#include "model/internal/tokenizer/decoder.h"
#include "model/internal/tokenizer/normalizer.h"
#include "model/internal/tokenizer/pre_tokenizer.h"
#include "model/internal/tokenizer/tokenizer_json.h"

namespace switchyard::model::tokenization {

// Null where the file has none ("normalizer": null).
base::Result<std::unique_ptr<Normalizer>> ReadNormalizer(const JsonTree* json);
base::Result<std::unique_ptr<PreTokenizer>> ReadPreTokenizer(const JsonTree* json);

struct DecoderChoice {
  std::unique_ptr<Decoder> decoder;  // never null
  bool is_byte_level = false;        // added tokens are then not written in the byte alphabet
};
base::Result<DecoderChoice> ReadDecoder(const JsonTree* json);

}  // namespace switchyard::model::tokenization
