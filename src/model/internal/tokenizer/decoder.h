// Decoders: from a token's name in the vocabulary to the bytes that it stands for in a text. The
// kinds are those of tokenizer.json, reduced to what can be said of one token at a time, so that
// text can be streamed. Immutable.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace switchyard::model::tokenization {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Turns a token (or what an earlier step made of it) into the next form. `at_start`: no token
  // precedes it.
  virtual std::string Apply(std::string token, bool at_start) const = 0;
};

std::unique_ptr<Decoder> MakeDecoderSequence(std::vector<std::unique_ptr<Decoder>> steps);
std::unique_ptr<Decoder> MakeByteLevelDecoder();
std::unique_ptr<Decoder> MakeByteFallbackDecoder();
std::unique_ptr<Decoder> MakeReplaceDecoder(std::string pattern, std::string content);
// Drops up to `count` times `content` from the beginning of the text.
std::unique_ptr<Decoder> MakeStripStartDecoder(std::string content, std::size_t count);
// `strips_start`: the first token loses every `replacement`.
std::unique_ptr<Decoder> MakeMetaspaceDecoder(std::string replacement, bool strips_start);
// Words are joined by spaces; `cleans_up` takes back those before punctuation and contractions.
std::unique_ptr<Decoder> MakeWordPieceDecoder(std::string prefix, bool cleans_up);
// For files without a decoder: tokens joined by spaces.
std::unique_ptr<Decoder> MakeSpaceJoiningDecoder();

}  // namespace switchyard::model::tokenization
