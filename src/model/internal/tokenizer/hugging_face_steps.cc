#include "model/internal/tokenizer/hugging_face_steps.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "model/internal/unicode/normalization.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// Bounds on what a file may ask for, far above what any published one does.
constexpr std::size_t kMaxSteps = 256;
constexpr std::size_t kMaxTextBytes = 256;
constexpr std::uint64_t kMaxGrowth = 1024;

base::Result<std::string> ShortString(const JsonTree& json, const char* name,
                                      std::string_view fallback) {
  SWITCHYARD_TRY(std::string text, StringMember(json, name, fallback));
  if (text.size() > kMaxTextBytes) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' has {} bytes; at most {} are accepted", name,
                text.size(), kMaxTextBytes);
  }
  return text;
}

base::Result<Pattern> ReadPattern(const JsonTree& json) {
  const JsonTree* pattern = FindMember(json, "pattern");
  if (pattern && FindMember(*pattern, "Regex")) {
    SWITCHYARD_TRY(const std::string text, StringMember(*pattern, "Regex", ""));
    SWITCHYARD_TRY(Regex regex, Regex::Compile(text));
    return Pattern(std::move(regex));
  }
  if (pattern && FindMember(*pattern, "String")) {
    SWITCHYARD_TRY(std::string text, ShortString(*pattern, "String", ""));
    return Pattern(std::move(text));
  }
  return Fail(ErrorCode::kInvalidArgument, "'pattern' must hold a 'String' or a 'Regex'");
}

base::Result<SplitBehavior> ReadBehavior(const JsonTree& json, std::string_view fallback) {
  SWITCHYARD_TRY(const std::string name, StringMember(json, "behavior", fallback));
  constexpr auto kBehaviors = std::to_array<std::pair<std::string_view, SplitBehavior>>({
      {"Removed", SplitBehavior::kRemoved},
      {"Isolated", SplitBehavior::kIsolated},
      {"Contiguous", SplitBehavior::kContiguous},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext},
  });
  for (const auto& [known, behavior] : kBehaviors) {
    if (name == known) return behavior;
  }
  return Fail(ErrorCode::kInvalidArgument, "the behavior '{}' is not known", name);
}

// Metaspace has had two ways to say when it prepends.
base::Result<PrependScheme> ReadPrependScheme(const JsonTree& json) {
  SWITCHYARD_TRY(const bool legacy, BoolMember(json, "add_prefix_space", true));
  SWITCHYARD_TRY(const std::string name,
                 StringMember(json, "prepend_scheme", legacy ? "always" : "never"));
  if (name == "always") return PrependScheme::kAlways;
  if (name == "first") return PrependScheme::kFirst;
  if (name == "never") return PrependScheme::kNever;
  return Fail(ErrorCode::kInvalidArgument, "the prepend_scheme '{}' is not known", name);
}

// Counts how many times longer a text or token may become, so that no file makes it explode.
class Growth {
 public:
  base::Status By(std::uint64_t factor) {
    growth_ *= std::max<std::uint64_t>(factor, 1);
    if (growth_ <= kMaxGrowth) return {};
    return Fail(ErrorCode::kInvalidArgument, "a text could become more than {} times as long",
                kMaxGrowth);
  }
  // By replacing `from`, of at least one byte, with `to`.
  base::Status ByReplacing(std::size_t from, std::size_t to) { return By((to + from - 1) / from); }

 private:
  std::uint64_t growth_ = 1;
};

// Reads steps of one kind; a Sequence is read into the same list, so that nothing recurses.
template <typename Step>
class StepReader {
 public:
  virtual ~StepReader() = default;

  // The elements of a Sequence lie in its member `list`.
  base::Status Read(const JsonTree& json, const char* list) {
    std::vector<const JsonTree*> waiting = {&json};
    while (!waiting.empty()) {
      const JsonTree& next = *waiting.back();
      waiting.pop_back();
      SWITCHYARD_TRY(const std::string type, RequiredStringMember(next, "type"));
      if (type == "Sequence") {
        SWITCHYARD_TRY(const JsonTree* elements, ArrayMember(next, list));
        if (!elements) return Fail(ErrorCode::kInvalidArgument, "a Sequence lacks '{}'", list);
        for (auto element = elements->rbegin(); element != elements->rend(); ++element) {
          waiting.push_back(&*element);
        }
        continue;
      }
      if (steps.size() >= kMaxSteps) {
        return Fail(ErrorCode::kInvalidArgument, "there are more than {} steps", kMaxSteps);
      }
      auto step = ReadOne(type, next);
      if (!step) return Rethrow(step.error(), "{}", type);
      if (*step) steps.push_back(std::move(*step));
    }
    return {};
  }

  std::vector<std::unique_ptr<Step>> steps;

 private:
  // Null for a step that changes nothing.
  virtual base::Result<std::unique_ptr<Step>> ReadOne(std::string_view type,
                                                      const JsonTree& json) = 0;
};

class NormalizerReader : public StepReader<Normalizer> {
 private:
  base::Result<std::unique_ptr<Normalizer>> ReadOne(std::string_view type,
                                                    const JsonTree& json) override {
    if (type == "NFC") return MakeUnicodeNormalizer(unicode::NormalizationForm::kNfc);
    if (type == "NFD") return MakeUnicodeNormalizer(unicode::NormalizationForm::kNfd);
    if (type == "NFKC") return MakeUnicodeNormalizer(unicode::NormalizationForm::kNfkc);
    if (type == "NFKD") return MakeUnicodeNormalizer(unicode::NormalizationForm::kNfkd);
    if (type == "Lowercase") return MakeLowercase();
    if (type == "StripAccents") return MakeStripAccents();
    if (type == "Nmt") return MakeNmt();
    if (type == "ByteLevel") {
      SWITCHYARD_RETURN_IF_ERROR(growth_.By(2));
      return MakeByteLevelNormalizer();
    }
    if (type == "Strip") {
      SWITCHYARD_TRY(const bool left, BoolMember(json, "strip_left", true));
      SWITCHYARD_TRY(const bool right, BoolMember(json, "strip_right", true));
      return MakeStrip(left, right);
    }
    if (type == "Prepend") {
      SWITCHYARD_TRY(std::string prefix, ShortString(json, "prepend", ""));
      SWITCHYARD_RETURN_IF_ERROR(growth_.By(1 + prefix.size()));
      return MakePrepend(std::move(prefix));
    }
    if (type == "Replace") {
      SWITCHYARD_TRY(Pattern pattern, ReadPattern(json));
      SWITCHYARD_TRY(std::string content, ShortString(json, "content", ""));
      // A regular expression may match nothing, between any two bytes.
      const std::size_t shortest = pattern.literal() ? pattern.literal()->size() : 0;
      SWITCHYARD_RETURN_IF_ERROR(shortest == 0 ? growth_.By(1 + content.size())
                                               : growth_.ByReplacing(shortest, content.size()));
      return MakeReplace(std::move(pattern), std::move(content));
    }
    if (type == "Precompiled") {
      SWITCHYARD_TRY(const std::string encoded, StringMember(json, "precompiled_charsmap", ""));
      if (encoded.empty()) return nullptr;
      SWITCHYARD_RETURN_IF_ERROR(growth_.By(16));
      SWITCHYARD_TRY(std::string charsmap, base::FromBase64(encoded));
      return MakePrecompiled(std::move(charsmap));
    }
    if (type == "BertNormalizer") {
      BertNormalizerOptions options;
      SWITCHYARD_TRY(options.clean_text, BoolMember(json, "clean_text", true));
      SWITCHYARD_TRY(options.handle_chinese_chars, BoolMember(json, "handle_chinese_chars", true));
      SWITCHYARD_TRY(options.lowercase, BoolMember(json, "lowercase", true));
      SWITCHYARD_TRY(options.strip_accents, BoolMember(json, "strip_accents", options.lowercase));
      SWITCHYARD_RETURN_IF_ERROR(growth_.By(2));
      return MakeBertNormalizer(options);
    }
    return Fail(ErrorCode::kUnimplemented, "this kind of normalizer is not supported");
  }

  Growth growth_;
};

class PreTokenizerReader : public StepReader<PreTokenizer> {
 private:
  base::Result<std::unique_ptr<PreTokenizer>> ReadOne(std::string_view type,
                                                      const JsonTree& json) override {
    if (type == "BertPreTokenizer") return MakeBertPreTokenizer();
    if (type == "WhitespaceSplit") return MakeWhitespaceSplit();
    if (type == "Whitespace") {
      SWITCHYARD_TRY(Regex regex, Regex::Compile("(?:\\w|[\\x{200C}\\x{200D}])+|"
                                                 "(?:(?![\\x{200C}\\x{200D}])[^\\w\\s])+"));
      return MakeSplit(Pattern(std::move(regex)), SplitBehavior::kRemoved, /*inverted=*/true);
    }
    if (type == "Split") {
      SWITCHYARD_TRY(Pattern pattern, ReadPattern(json));
      SWITCHYARD_TRY(const SplitBehavior behavior, ReadBehavior(json, "Isolated"));
      SWITCHYARD_TRY(const bool inverted, BoolMember(json, "invert", false));
      return MakeSplit(std::move(pattern), behavior, inverted);
    }
    if (type == "CharDelimiterSplit") {
      SWITCHYARD_TRY(std::string delimiter, ShortString(json, "delimiter", ""));
      return MakeSplit(Pattern(std::move(delimiter)), SplitBehavior::kRemoved, false);
    }
    if (type == "ByteLevel") {
      SWITCHYARD_TRY(const bool add_prefix_space, BoolMember(json, "add_prefix_space", true));
      SWITCHYARD_TRY(const bool use_regex, BoolMember(json, "use_regex", true));
      if (++byte_levels_ > 2) {
        return Fail(ErrorCode::kInvalidArgument, "bytes are turned into letters too often");
      }
      std::unique_ptr<PreTokenizer> splitter;
      if (use_regex) {
        SWITCHYARD_TRY(Regex regex, Regex::Compile(kGpt2Pattern));
        splitter = MakeSplit(Pattern(std::move(regex)), SplitBehavior::kIsolated, false);
      }
      return MakeByteLevel(add_prefix_space, std::move(splitter));
    }
    if (type == "Digits") {
      SWITCHYARD_TRY(const bool individual, BoolMember(json, "individual_digits", false));
      return MakeDigits(individual);
    }
    if (type == "Punctuation") {
      SWITCHYARD_TRY(const SplitBehavior behavior, ReadBehavior(json, "Isolated"));
      return MakePunctuation(behavior);
    }
    if (type == "Metaspace") {
      SWITCHYARD_TRY(std::string replacement, ShortString(json, "replacement", kMetaspace));
      // With either, a row of such steps could make a text explode.
      if (replacement.empty() || replacement.find(' ') != std::string::npos || ++metaspaces_ > 2) {
        return Fail(ErrorCode::kInvalidArgument,
                    "'replacement' must be neither empty nor hold a space, and two such steps are "
                    "the most");
      }
      SWITCHYARD_TRY(const PrependScheme scheme, ReadPrependScheme(json));
      SWITCHYARD_TRY(const bool splits, BoolMember(json, "split", true));
      return MakeMetaspace(std::move(replacement), scheme, splits);
    }
    return Fail(ErrorCode::kUnimplemented, "this kind of pre-tokenizer is not supported");
  }

  int byte_levels_ = 0;
  int metaspaces_ = 0;
};

class DecoderReader : public StepReader<Decoder> {
 public:
  bool is_byte_level = false;

 private:
  base::Result<std::unique_ptr<Decoder>> ReadOne(std::string_view type,
                                                 const JsonTree& json) override {
    if (type == "ByteLevel") {
      is_byte_level = true;
      return MakeByteLevelDecoder();
    }
    if (type == "ByteFallback") return MakeByteFallbackDecoder();
    if (type == "Fuse") return nullptr;  // tokens are joined in any case
    if (type == "Replace") {
      const JsonTree* pattern = FindMember(json, "pattern");
      if (!pattern || !FindMember(*pattern, "String")) {
        return Fail(ErrorCode::kUnimplemented, "a decoder's 'pattern' must be a 'String'");
      }
      SWITCHYARD_TRY(std::string from, ShortString(*pattern, "String", ""));
      SWITCHYARD_TRY(std::string to, ShortString(json, "content", ""));
      if (!from.empty()) SWITCHYARD_RETURN_IF_ERROR(growth_.ByReplacing(from.size(), to.size()));
      return MakeReplaceDecoder(std::move(from), std::move(to));
    }
    if (type == "Strip") {
      SWITCHYARD_TRY(std::string content, ShortString(json, "content", " "));
      SWITCHYARD_TRY(const std::int64_t start, IntMember(json, "start", 0));
      SWITCHYARD_TRY(const std::int64_t stop, IntMember(json, "stop", 0));
      if (stop != 0 || start < 0) {
        return Fail(ErrorCode::kUnimplemented,
                    "'start' is {} and 'stop' {}; only the beginning of a text can be stripped",
                    start, stop);
      }
      return MakeStripStartDecoder(std::move(content), static_cast<std::size_t>(start));
    }
    if (type == "Metaspace") {
      SWITCHYARD_TRY(std::string replacement, ShortString(json, "replacement", kMetaspace));
      SWITCHYARD_TRY(const PrependScheme scheme, ReadPrependScheme(json));
      return MakeMetaspaceDecoder(std::move(replacement), scheme != PrependScheme::kNever);
    }
    if (type == "WordPiece") {
      SWITCHYARD_TRY(std::string prefix, ShortString(json, "prefix", "##"));
      SWITCHYARD_TRY(const bool cleans_up, BoolMember(json, "cleanup", true));
      return MakeWordPieceDecoder(std::move(prefix), cleans_up);
    }
    return Fail(ErrorCode::kUnimplemented, "this kind of decoder is not supported");
  }

  Growth growth_;
};

}  // namespace

base::Result<std::unique_ptr<Normalizer>> ReadNormalizer(const JsonTree* json) {
  if (!json) return nullptr;
  NormalizerReader reader;
  SWITCHYARD_RETURN_IF_ERROR(reader.Read(*json, "normalizers"));
  if (reader.steps.empty()) return nullptr;
  return MakeSequence(std::move(reader.steps));
}

base::Result<std::unique_ptr<PreTokenizer>> ReadPreTokenizer(const JsonTree* json) {
  if (!json) return nullptr;
  PreTokenizerReader reader;
  SWITCHYARD_RETURN_IF_ERROR(reader.Read(*json, "pretokenizers"));
  if (reader.steps.empty()) return nullptr;
  return MakeSequence(std::move(reader.steps));
}

base::Result<DecoderChoice> ReadDecoder(const JsonTree* json) {
  if (!json) return DecoderChoice{MakeSpaceJoiningDecoder(), false};
  DecoderReader reader;
  SWITCHYARD_RETURN_IF_ERROR(reader.Read(*json, "decoders"));
  return DecoderChoice{MakeDecoderSequence(std::move(reader.steps)), reader.is_byte_level};
}

}  // namespace switchyard::model::tokenization
