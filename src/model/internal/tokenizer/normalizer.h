// Normalizers: what a tokenizer does to a text before it looks for tokens. The kinds are those of
// tokenizer.json. Immutable, so any thread may use one.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/internal/tokenizer/pattern.h"
#include "model/internal/unicode/normalization.h"

namespace switchyard::model::tokenization {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8, before and after. Fails where a pattern does (Regex::FindAll).
  virtual base::Result<std::string> Apply(std::string text, RegexScratch* scratch) const = 0;
};

std::unique_ptr<Normalizer> MakeSequence(std::vector<std::unique_ptr<Normalizer>> steps);
std::unique_ptr<Normalizer> MakeUnicodeNormalizer(unicode::NormalizationForm form);
std::unique_ptr<Normalizer> MakeLowercase();
std::unique_ptr<Normalizer> MakeStripAccents();  // drops marks
std::unique_ptr<Normalizer> MakeStrip(bool left, bool right);
std::unique_ptr<Normalizer> MakeReplace(Pattern pattern, std::string content);
std::unique_ptr<Normalizer> MakePrepend(std::string prefix);  // to what isn't empty
std::unique_ptr<Normalizer> MakeByteLevelNormalizer();
// What SentencePiece's default rules do to control and space characters.
std::unique_ptr<Normalizer> MakeNmt();

struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};
std::unique_ptr<Normalizer> MakeBertNormalizer(BertNormalizerOptions options);

// The character map that SentencePiece compiles into its models.
base::Result<std::unique_ptr<Normalizer>> MakePrecompiled(std::string charsmap);

}  // namespace switchyard::model::tokenization
