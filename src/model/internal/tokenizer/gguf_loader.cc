#include "model/internal/tokenizer/gguf_loader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/internal/tokenizer/bpe.h"
#include "model/internal/tokenizer/byte_level_families.h"
#include "model/internal/tokenizer/end_tokens.h"
#include "model/internal/tokenizer/pipeline_tokenizer.h"
#include "model/internal/tokenizer/sentencepiece_bpe.h"
#include "model/internal/tokenizer/unigram.h"
#include "model/internal/tokenizer/wordpiece.h"
#include "model/internal/unicode/normalization.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// The values of tokenizer.ggml.token_type.
enum class TokenType : std::int64_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6,
};

class GgufLoader {
 public:
  explicit GgufLoader(const GgufFile& file) : file_(file) {}

  base::Result<std::unique_ptr<Tokenizer>> Load() {
    SWITCHYARD_TRY(const std::string_view model, file_.GetString("tokenizer.ggml.model"));
    SWITCHYARD_TRY(tokens_, file_.GetStrings("tokenizer.ggml.tokens"));
    SWITCHYARD_TRY(types_,
                   OptionalNumbers<std::int64_t>("tokenizer.ggml.token_type", &GgufFile::GetInts));
    SWITCHYARD_TRY(scores_, OptionalNumbers<double>("tokenizer.ggml.scores", &GgufFile::GetFloats));
    if (scores_ &&
        !std::ranges::all_of(*scores_, [](double score) { return std::isfinite(score); })) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tokenizer.ggml.scores holds a number that isn't "
                  "finite; convert the model again");
    }
    const std::string_view family = file_.GetString("tokenizer.ggml.pre").value_or("");
    if (model == "gemma4" || (model == "gpt2" && (family == "gemma4" || family == "sarvam-moe"))) {
      SWITCHYARD_RETURN_IF_ERROR(ReadSpacedBpe());
    } else if (model == "gpt2") {
      SWITCHYARD_RETURN_IF_ERROR(ReadByteLevelBpe(family));
    } else if (model == "llama" || model == "gemma") {
      SWITCHYARD_RETURN_IF_ERROR(ReadSentencePieceBpe(/*adds_space=*/model == "llama"));
    } else if (model == "t5") {
      SWITCHYARD_RETURN_IF_ERROR(ReadUnigram());
    } else if (model == "bert") {
      SWITCHYARD_RETURN_IF_ERROR(ReadWordPiece());
    } else {
      return Fail(ErrorCode::kUnimplemented,
                  "tokenizer.ggml.model is '{}'; gpt2, llama, gemma, gemma4, t5 and bert are "
                  "supported",
                  model);
    }
    return std::make_unique<PipelineTokenizer>(std::move(parts_));
  }

 private:
  // An array with one number for each token, or null.
  template <typename T, typename Getter>
  base::Result<const std::vector<T>*> OptionalNumbers(std::string_view key, Getter getter) const {
    if (!file_.Find(key)) return nullptr;
    SWITCHYARD_TRY(const std::vector<T>* numbers, (file_.*getter)(key));
    if (numbers->size() != tokens_->size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  "{} has {} entries, but tokenizer.ggml.tokens has {}; convert the model again",
                  key, numbers->size(), tokens_->size());
    }
    return numbers;
  }

  bool BoolOr(std::string_view key, bool fallback) const {
    return file_.GetBool(key).value_or(fallback);
  }

  // A token that the metadata name; one outside the vocabulary counts as not named.
  std::optional<TokenId> TokenOf(std::string_view key) const {
    const auto id = file_.GetInt(key);
    if (!id || *id < 0 || *id >= parts_.vocabulary->size()) return std::nullopt;
    return static_cast<TokenId>(*id);
  }

  TokenType TypeOf(TokenId id) const {
    return types_ ? static_cast<TokenType>((*types_)[static_cast<std::size_t>(id)])
                  : TokenType::kNormal;
  }

  // `rename` gives the name under which a token is looked for in texts.
  template <typename Rename>
  base::Status ReadVocabulary(Rename rename) {
    if (tokens_->empty()) {
      return Fail(ErrorCode::kInvalidArgument, "tokenizer.ggml.tokens is empty");
    }
    parts_.vocabulary->Reserve(tokens_->size());
    for (std::size_t id = 0; id < tokens_->size(); ++id) {
      const std::string name = rename((*tokens_)[id]);
      // Converters fill holes with tokens that have no name.
      const auto added = parts_.vocabulary->Add(name, static_cast<std::int64_t>(id),
                                                /*allow_alias=*/name.empty());
      if (!added) return Rethrow(added.error(), "tokenizer.ggml.tokens");
    }
    return {};
  }
  base::Status ReadVocabulary() {
    return ReadVocabulary([](std::string_view name) { return std::string(name); });
  }

  // Which tokens are special, which are found in texts as they stand, and which end an answer.
  // `are_verbatim`: these are written as they are, the others in the byte alphabet.
  void ReadSpecialTokens(bool are_verbatim = false) {
    parts_.bos = TokenOf("tokenizer.ggml.bos_token_id");
    parts_.eos = TokenOf("tokenizer.ggml.eos_token_id");
    const Vocabulary& vocabulary = *parts_.vocabulary;
    std::vector<bool> is_special(static_cast<std::size_t>(vocabulary.size()));
    std::vector<bool> is_user_defined = is_special;
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      const TokenType type = TypeOf(id);
      is_special[static_cast<std::size_t>(id)] =
          type == TokenType::kControl || type == TokenType::kUnknown;
      is_user_defined[static_cast<std::size_t>(id)] = type == TokenType::kUserDefined;
    }
    // Files with careless types still name these tokens. Their look keeps ordinary ones out.
    constexpr auto kKeys = std::to_array<std::string_view>(
        {"bos", "eos", "eot", "eom", "unknown", "padding", "seperator", "cls", "mask"});
    std::vector<TokenId> stated;
    for (const std::string_view key : kKeys) {
      const auto id = TokenOf("tokenizer.ggml." + std::string(key) + "_token_id");
      if (!id) continue;
      const std::string_view name = vocabulary.Name(*id);
      const bool looks_special = (name.starts_with('<') && name.ends_with('>')) ||
                                 (name.starts_with('[') && name.ends_with(']'));
      if (looks_special && name.size() > 2) is_special[static_cast<std::size_t>(*id)] = true;
      if (key == "eos" || key == "eot" || key == "eom") stated.push_back(*id);
    }
    parts_.end_tokens = FindEndTokens(vocabulary, stated, [&](TokenId id) {
      const std::string_view name = vocabulary.Name(id);
      return is_special[static_cast<std::size_t>(id)] ||
             is_user_defined[static_cast<std::size_t>(id)] || name.starts_with("<|") ||
             name == "<end_of_turn>";
    });
    for (const TokenId id : parts_.end_tokens) {
      if (vocabulary.Name(id).starts_with('<')) is_special[static_cast<std::size_t>(id)] = true;
    }

    const bool strips_right = StripsSpaceAfterSpecials();
    for (TokenId id = 0; id < vocabulary.size(); ++id) {
      const bool special = is_special[static_cast<std::size_t>(id)];
      if (!special && !is_user_defined[static_cast<std::size_t>(id)]) continue;
      if (are_verbatim) Mark(id, &parts_.is_verbatim);
      const std::string_view name = vocabulary.Name(id);
      if (name.empty()) continue;
      const bool is_plain = name == "<unk>" || name == "<s>" || name == "<|endoftext|>";
      parts_.raw_added.Add({.content = std::string(name),
                            .id = id,
                            .special = special,
                            .strip_right = strips_right && !is_plain});
    }
    parts_.is_special = std::move(is_special);
  }

  // GGUF has no place for it, but Phi-3's special tokens take the white space after them along.
  bool StripsSpaceAfterSpecials() const {
    return file_.GetString("general.architecture").value_or("") == "phi3" &&
           file_.GetString("tokenizer.ggml.model").value_or("") == "llama";
  }

  void ReadAffixes(bool adds_bos, bool adds_eos) {
    if (BoolOr("tokenizer.ggml.add_bos_token", adds_bos) && parts_.bos) {
      parts_.prefix = {*parts_.bos};
    }
    if (BoolOr("tokenizer.ggml.add_eos_token", adds_eos) && parts_.eos) {
      parts_.suffix = {*parts_.eos};
    }
  }

  base::Status ReadMerges(BpeOptions options) {
    SWITCHYARD_TRY(const auto* lines, file_.GetStrings("tokenizer.ggml.merges"));
    std::vector<Bpe::Merge> merges;
    merges.reserve(lines->size());
    for (const std::string_view line : *lines) {
      // A token may itself begin with a space, so the first byte isn't the one that separates.
      const std::size_t space = line.find(' ', 1);
      if (space == std::string_view::npos) {
        return Fail(ErrorCode::kInvalidArgument,
                    "tokenizer.ggml.merges: merge {} has no space between two tokens",
                    merges.size());
      }
      merges.emplace_back(line.substr(0, space), line.substr(space + 1));
    }
    auto model = Bpe::Create(*parts_.vocabulary, merges, std::move(options));
    if (!model) return Rethrow(model.error(), "tokenizer.ggml.merges");
    parts_.model = std::move(*model);
    return {};
  }

  base::Status ReadByteLevelBpe(std::string_view name) {
    // Files from before families were recorded have no name.
    const ByteLevelFamily* family = FindByteLevelFamily(name.empty() ? "default" : name);
    if (!family) {
      return Fail(ErrorCode::kUnimplemented,
                  "tokenizer.ggml.pre is '{}', a pre-tokenizer that is not known; text would be "
                  "cut wrongly, so the model needs a newer release",
                  name);
    }
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    std::vector<std::unique_ptr<PreTokenizer>> steps;
    for (const std::string_view pattern : family->patterns) {
      SWITCHYARD_TRY(Regex regex, Regex::Compile(pattern));
      steps.push_back(MakeSplit(Pattern(std::move(regex)), SplitBehavior::kIsolated, false));
    }
    steps.push_back(MakeByteLevel(/*add_prefix_space=*/false, nullptr));
    parts_.pre_tokenizer = MakeSequence(std::move(steps));
    if (family->composes)
      parts_.normalizer = MakeUnicodeNormalizer(unicode::NormalizationForm::kNfc);
    parts_.decoder = MakeByteLevelDecoder();
    SWITCHYARD_RETURN_IF_ERROR(ReadMerges({.ignore_merges = family->ignore_merges}));
    ReadSpecialTokens(/*are_verbatim=*/true);
    ReadAffixes(family->adds_bos, /*adds_eos=*/false);
    return {};
  }

  std::unique_ptr<Decoder> MakeSpacedDecoder(bool strips_start) const {
    std::vector<std::unique_ptr<Decoder>> steps;
    steps.push_back(MakeReplaceDecoder(std::string(kMetaspace), " "));
    steps.push_back(MakeByteFallbackDecoder());
    if (strips_start) steps.push_back(MakeStripStartDecoder(" ", 1));
    return MakeDecoderSequence(std::move(steps));
  }

  static std::unique_ptr<Normalizer> MakeSpacedNormalizer(bool adds_space) {
    std::vector<std::unique_ptr<Normalizer>> steps;
    if (adds_space) steps.push_back(MakePrepend(std::string(kMetaspace)));
    steps.push_back(MakeReplace(Pattern(std::string(" ")), std::string(kMetaspace)));
    return MakeSequence(std::move(steps));
  }

  // BPE with merges over plain text in which U+2581 stands for a space (Gemma 4).
  base::Status ReadSpacedBpe() {
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    parts_.normalizer = MakeSpacedNormalizer(/*adds_space=*/false);
    parts_.decoder = MakeSpacedDecoder(/*strips_start=*/false);
    SWITCHYARD_RETURN_IF_ERROR(ReadMerges({.unknown = TokenOf("tokenizer.ggml.unknown_token_id"),
                                           .fuse_unknown = true,
                                           .byte_fallback = true}));
    ReadSpecialTokens();
    ReadAffixes(/*adds_bos=*/true, /*adds_eos=*/false);
    return {};
  }

  base::Status ReadSentencePieceBpe(bool adds_space) {
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    if (!scores_) return Fail(ErrorCode::kInvalidArgument, "tokenizer.ggml.scores is missing");
    adds_space = BoolOr("tokenizer.ggml.add_space_prefix", adds_space);
    parts_.normalizer = MakeSpacedNormalizer(adds_space);
    parts_.decoder = MakeSpacedDecoder(/*strips_start=*/adds_space);
    std::vector<SentencePieceBpe::Entry> entries;
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      const TokenType type = TypeOf(id);
      if (type != TokenType::kNormal && type != TokenType::kUserDefined) continue;
      entries.push_back({id, static_cast<float>((*scores_)[static_cast<std::size_t>(id)])});
    }
    parts_.model = std::make_unique<SentencePieceBpe>(*parts_.vocabulary, entries,
                                                      TokenOf("tokenizer.ggml.unknown_token_id"));
    ReadSpecialTokens();
    ReadAffixes(/*adds_bos=*/true, /*adds_eos=*/false);
    return {};
  }

  base::Status ReadUnigram() {
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    if (!scores_) return Fail(ErrorCode::kInvalidArgument, "tokenizer.ggml.scores is missing");
    std::vector<std::unique_ptr<Normalizer>> steps;
    if (file_.Find("tokenizer.ggml.precompiled_charsmap")) {
      SWITCHYARD_TRY(const auto* values, file_.GetInts("tokenizer.ggml.precompiled_charsmap"));
      std::string charsmap;
      charsmap.reserve(values->size());
      for (const std::int64_t value : *values) charsmap.push_back(static_cast<char>(value));
      if (!charsmap.empty()) {
        SWITCHYARD_TRY(auto step, MakePrecompiled(std::move(charsmap)));
        steps.push_back(std::move(step));
      }
    }
    if (BoolOr("tokenizer.ggml.remove_extra_whitespaces", true)) {
      SWITCHYARD_TRY(Regex spaces, Regex::Compile(" {2,}"));
      steps.push_back(MakeReplace(Pattern(std::move(spaces)), " "));
      SWITCHYARD_TRY(Regex outer, Regex::Compile(R"(\A | \z)"));  // but no other white space
      steps.push_back(MakeReplace(Pattern(std::move(outer)), ""));
    }
    const bool adds_space = BoolOr("tokenizer.ggml.add_space_prefix", true);
    steps.push_back(MakeSpacedNormalizer(adds_space));
    parts_.normalizer = MakeSequence(std::move(steps));
    parts_.decoder = MakeSpacedDecoder(/*strips_start=*/adds_space);

    std::vector<Unigram::Entry> entries;
    for (TokenId id = 0; id < parts_.vocabulary->size(); ++id) {
      const TokenType type = TypeOf(id);
      if (type != TokenType::kNormal && type != TokenType::kUserDefined) continue;
      entries.push_back({id, (*scores_)[static_cast<std::size_t>(id)]});
    }
    const bool has_bytes = parts_.vocabulary->Find("<0x00>").has_value();
    parts_.model = std::make_unique<Unigram>(*parts_.vocabulary, entries,
                                             TokenOf("tokenizer.ggml.unknown_token_id"), has_bytes);
    ReadSpecialTokens();
    ReadAffixes(/*adds_bos=*/false, /*adds_eos=*/true);
    return {};
  }

  base::Status ReadWordPiece() {
    // The converter marks what begins a word by U+2581 and leaves the mark of continuations out.
    constexpr std::string_view kPrefix = "##";
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary([&](std::string_view name) {
      if (name.starts_with(kMetaspace)) return std::string(name.substr(kMetaspace.size()));
      const bool is_special = name.size() > 2 && name.starts_with('[') && name.ends_with(']');
      return is_special ? std::string(name) : std::string(kPrefix).append(name);
    }));
    const auto unknown = TokenOf("tokenizer.ggml.unknown_token_id");
    if (!unknown) {
      return Fail(ErrorCode::kInvalidArgument, "tokenizer.ggml.unknown_token_id is missing");
    }
    // Nor does it record whether text is lowercased; a vocabulary without capitals says so.
    BertNormalizerOptions options;
    options.lowercase = std::ranges::none_of(*tokens_, [](std::string_view name) {
      return !name.starts_with('[') &&
             std::ranges::any_of(name, [](char c) { return c >= 'A' && c <= 'Z'; });
    });
    options.strip_accents = options.lowercase;
    parts_.normalizer = MakeBertNormalizer(options);
    parts_.pre_tokenizer = MakeBertPreTokenizer();
    parts_.model = std::make_unique<WordPiece>(*parts_.vocabulary, std::string(kPrefix), *unknown,
                                               /*max_characters=*/100);
    parts_.decoder = MakeWordPieceDecoder(std::string(kPrefix), /*cleans_up=*/true);
    ReadSpecialTokens();
    if (!parts_.bos) parts_.bos = TokenOf("tokenizer.ggml.cls_token_id");
    if (!parts_.eos) parts_.eos = TokenOf("tokenizer.ggml.seperator_token_id");
    ReadAffixes(/*adds_bos=*/true, /*adds_eos=*/true);
    return {};
  }

  const GgufFile& file_;
  const std::vector<std::string_view>* tokens_ = nullptr;
  const std::vector<std::int64_t>* types_ = nullptr;  // may be null
  const std::vector<double>* scores_ = nullptr;       // may be null
  TokenizerParts parts_;
};

}  // namespace

base::Result<std::unique_ptr<Tokenizer>> LoadGguf(const GgufFile& file) {
  return GgufLoader(file).Load();
}

}  // namespace switchyard::model::tokenization
