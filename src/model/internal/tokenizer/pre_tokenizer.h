// Pre-tokenizers: how a normalized text is cut into the pieces that are tokenized one by one. The
// kinds are those of tokenizer.json. Immutable, so any thread may use one.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/pattern.h"
#include "model/internal/tokenizer/pieces.h"

namespace switchyard::model::tokenization {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Fails where a pattern does (Regex::FindAll).
  virtual base::Status Apply(Pieces* pieces) const = 0;
};

// What becomes of the matches of a pattern.
enum class SplitBehavior { kRemoved, kIsolated, kContiguous, kMergedWithPrevious, kMergedWithNext };

// When a leading space is put before a text: always, only where the input begins, or never.
enum class PrependScheme { kAlways, kFirst, kNever };

std::unique_ptr<PreTokenizer> MakeSequence(std::vector<std::unique_ptr<PreTokenizer>> steps);
// `inverted`: what lies between the matches is what counts as matched.
std::unique_ptr<PreTokenizer> MakeSplit(Pattern pattern, SplitBehavior behavior, bool inverted);
// Bytes become the letters of GPT-2's alphabet. `splitter`, if any, cuts before that.
std::unique_ptr<PreTokenizer> MakeByteLevel(bool add_prefix_space,
                                            std::unique_ptr<PreTokenizer> splitter);
std::unique_ptr<PreTokenizer> MakeDigits(bool individual);
std::unique_ptr<PreTokenizer> MakePunctuation(SplitBehavior behavior);
std::unique_ptr<PreTokenizer> MakeWhitespaceSplit();
std::unique_ptr<PreTokenizer> MakeBertPreTokenizer();
// SentencePiece's sign for a space, U+2581.
inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";
// SentencePiece's: spaces become `replacement`, which starts each piece if `splits`.
std::unique_ptr<PreTokenizer> MakeMetaspace(std::string replacement, PrependScheme scheme,
                                            bool splits);

// The pattern of GPT-2, which ByteLevel uses unless told otherwise.
inline constexpr std::string_view kGpt2Pattern =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

}  // namespace switchyard::model::tokenization
