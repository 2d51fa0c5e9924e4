#include "model/internal/tokenizer/hugging_face_loader.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/internal/tokenizer/bpe.h"
#include "model/internal/tokenizer/end_tokens.h"
#include "model/internal/tokenizer/hugging_face_steps.h"
#include "model/internal/tokenizer/pipeline_tokenizer.h"
#include "model/internal/tokenizer/tokenizer_json.h"
#include "model/internal/tokenizer/unigram.h"
#include "model/internal/tokenizer/wordpiece.h"

namespace switchyard::model::tokenization {
namespace {

using base::ErrorCode;
using base::Fail;

// Around a text a published tokenizer puts one or two tokens.
constexpr std::size_t kMaxTemplateTokens = 64;

class HuggingFaceLoader {
 public:
  base::Result<std::unique_ptr<Tokenizer>> Load(std::string_view tokenizer_json,
                                                std::string_view tokenizer_config) {
    if (auto status = ReadFiles(tokenizer_json, tokenizer_config); !status) {
      if (status.error().code == ErrorCode::kInvalidArgument) {
        status.error().message += "; the file is damaged or badly made, so fetch it again";
      }
      return std::unexpected(std::move(status.error()));
    }
    return std::make_unique<PipelineTokenizer>(std::move(parts_));
  }

 private:
  base::Status ReadFiles(std::string_view tokenizer_json, std::string_view tokenizer_config) {
    SWITCHYARD_TRY(file_, ParseTokenizerJson(tokenizer_json));
    if (!tokenizer_config.empty()) {
      SWITCHYARD_TRY(config_, ParseJsonTree(tokenizer_config, "tokenizer_config.json"));
    }
    if (auto status = Read(); !status) {
      return Rethrow(std::move(status.error()), "tokenizer.json");
    }
    return {};
  }

  base::Status Read() {
    const JsonTree* model = FindMember(file_.tree, "model");
    if (!model) return Fail(ErrorCode::kInvalidArgument, "'model' is missing");
    if (auto status = ReadModel(*model); !status) return Within(status, "model");

    auto normalizer = ReadNormalizer(FindMember(file_.tree, "normalizer"));
    if (!normalizer) return Within(normalizer, "normalizer");
    parts_.normalizer = std::move(*normalizer);
    auto pre_tokenizer = ReadPreTokenizer(FindMember(file_.tree, "pre_tokenizer"));
    if (!pre_tokenizer) return Within(pre_tokenizer, "pre_tokenizer");
    parts_.pre_tokenizer = std::move(*pre_tokenizer);
    auto decoder = ReadDecoder(FindMember(file_.tree, "decoder"));
    if (!decoder) return Within(decoder, "decoder");
    parts_.decoder = std::move(decoder->decoder);

    if (auto status = ReadAddedTokens(decoder->is_byte_level); !status) {
      return Within(status, "added_tokens");
    }
    if (auto status = ReadPostProcessor(); !status) return Within(status, "post_processor");
    return ReadConfig();
  }

  template <typename Failed>
  static std::unexpected<base::Error> Within(Failed& failed, std::string_view where) {
    return Rethrow(std::move(failed.error()), "{}", where);
  }

  base::Status ReadModel(const JsonTree& model) {
    // Files of before 2020 leave the type out.
    const bool is_scored = !file_.scored_vocabulary.empty();
    const bool has_merges = !file_.merges.empty();
    SWITCHYARD_TRY(const std::string type, StringMember(model, "type",
                                                        is_scored    ? "Unigram"
                                                        : has_merges ? "BPE"
                                                                     : "WordPiece"));
    if (type == "BPE") return ReadBpe(model);
    if (type == "Unigram") return ReadUnigram(model);
    if (type == "WordPiece") return ReadWordPiece(model);
    return Fail(ErrorCode::kUnimplemented,
                "models of type '{}' are not supported; BPE, Unigram and WordPiece are", type);
  }

  base::Status ReadVocabulary() {
    Vocabulary& vocabulary = *parts_.vocabulary;
    if (file_.vocabulary.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "'vocab' holds no tokens");
    }
    vocabulary.Reserve(file_.vocabulary.size());
    for (const auto& [name, id] : file_.vocabulary) {
      SWITCHYARD_RETURN_IF_ERROR(vocabulary.Add(name, id));
    }
    return {};
  }

  base::Result<std::optional<TokenId>> ReadUnknown(const JsonTree& model) {
    SWITCHYARD_TRY(const std::string name, StringMember(model, "unk_token", ""));
    if (name.empty()) return std::nullopt;
    const auto id = parts_.vocabulary->Find(name);
    if (!id) {
      return Fail(ErrorCode::kInvalidArgument, "the unk_token '{}' is not in the vocabulary", name);
    }
    return id;
  }

  base::Status ReadBpe(const JsonTree& model) {
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    BpeOptions options;
    SWITCHYARD_TRY(options.unknown, ReadUnknown(model));
    SWITCHYARD_TRY(options.fuse_unknown, BoolMember(model, "fuse_unk", false));
    SWITCHYARD_TRY(options.byte_fallback, BoolMember(model, "byte_fallback", false));
    SWITCHYARD_TRY(options.ignore_merges, BoolMember(model, "ignore_merges", false));
    SWITCHYARD_TRY(options.continuing_subword_prefix,
                   StringMember(model, "continuing_subword_prefix", ""));
    SWITCHYARD_TRY(options.end_of_word_suffix, StringMember(model, "end_of_word_suffix", ""));
    const std::size_t affixes =
        options.continuing_subword_prefix.size() + options.end_of_word_suffix.size();
    if (affixes > 64) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the subword prefix and the word suffix have {} bytes; at most 64 are accepted",
                  affixes);
    }
    const std::vector<Bpe::Merge> merges(file_.merges.begin(), file_.merges.end());
    SWITCHYARD_TRY(parts_.model, Bpe::Create(*parts_.vocabulary, merges, std::move(options)));
    return {};
  }

  base::Status ReadUnigram(const JsonTree& model) {
    Vocabulary& vocabulary = *parts_.vocabulary;
    if (file_.scored_vocabulary.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "'vocab' holds no tokens");
    }
    vocabulary.Reserve(file_.scored_vocabulary.size());
    std::vector<Unigram::Entry> entries;
    entries.reserve(file_.scored_vocabulary.size());
    for (const auto& [name, score] : file_.scored_vocabulary) {
      const auto id = static_cast<TokenId>(entries.size());
      if (!std::isfinite(score)) {
        return Fail(ErrorCode::kInvalidArgument, "the score of token {} is not finite", id);
      }
      SWITCHYARD_RETURN_IF_ERROR(vocabulary.Add(name, id, /*allow_alias=*/true));
      entries.push_back({id, score});
    }
    SWITCHYARD_TRY(const std::int64_t unknown, IntMember(model, "unk_id", -1));
    if (unknown >= vocabulary.size() || unknown < -1) {
      return Fail(ErrorCode::kInvalidArgument, "unk_id {} is not in the vocabulary of {} tokens",
                  unknown, vocabulary.size());
    }
    SWITCHYARD_TRY(const bool byte_fallback, BoolMember(model, "byte_fallback", false));
    parts_.model = std::make_unique<Unigram>(
        vocabulary, entries,
        unknown < 0 ? std::nullopt : std::optional(static_cast<TokenId>(unknown)), byte_fallback);
    return {};
  }

  base::Status ReadWordPiece(const JsonTree& model) {
    SWITCHYARD_RETURN_IF_ERROR(ReadVocabulary());
    SWITCHYARD_TRY(const std::optional<TokenId> unknown, ReadUnknown(model));
    if (!unknown) return Fail(ErrorCode::kInvalidArgument, "'unk_token' is missing");
    SWITCHYARD_TRY(std::string prefix, StringMember(model, "continuing_subword_prefix", "##"));
    SWITCHYARD_TRY(const std::int64_t longest, IntMember(model, "max_input_chars_per_word", 100));
    if (longest < 0 || longest > 1'000'000) {
      return Fail(ErrorCode::kInvalidArgument,
                  "max_input_chars_per_word is {}; 0 to 1000000 are accepted", longest);
    }
    parts_.model = std::make_unique<WordPiece>(*parts_.vocabulary, std::move(prefix), *unknown,
                                               static_cast<std::size_t>(longest));
    return {};
  }

  base::Status ReadAddedTokens(bool are_verbatim) {
    SWITCHYARD_TRY(const JsonTree* tokens, ArrayMember(file_.tree, "added_tokens"));
    if (!tokens) return {};
    for (const JsonTree& json : *tokens) {
      AddedToken token;
      SWITCHYARD_TRY(token.content, RequiredStringMember(json, "content"));
      SWITCHYARD_TRY(const std::int64_t stated_id, IntMember(json, "id", -1));
      SWITCHYARD_TRY(token.special, BoolMember(json, "special", false));
      SWITCHYARD_TRY(token.single_word, BoolMember(json, "single_word", false));
      SWITCHYARD_TRY(token.strip_left, BoolMember(json, "lstrip", false));
      SWITCHYARD_TRY(token.strip_right, BoolMember(json, "rstrip", false));
      SWITCHYARD_TRY(const bool normalized, BoolMember(json, "normalized", !token.special));
      if (token.content.empty()) continue;
      // A token that the model has too keeps the model's id.
      const auto known = parts_.vocabulary->Find(token.content);
      const std::int64_t id = known ? *known : stated_id;
      SWITCHYARD_RETURN_IF_ERROR(parts_.vocabulary->Add(token.content, id));
      token.id = static_cast<TokenId>(id);
      Mark(token.id, &is_added_);
      if (token.special) Mark(token.id, &parts_.is_special);
      if (are_verbatim) Mark(token.id, &parts_.is_verbatim);
      if (normalized) {
        if (parts_.normalizer) {
          RegexScratch scratch;
          SWITCHYARD_TRY(std::string content, parts_.normalizer->Apply(token.content, &scratch));
          if (content.size() > Vocabulary::kMaxTokenBytes) {
            return Fail(ErrorCode::kInvalidArgument,
                        "token {} has {} bytes once normalized; at most "
                        "{} are accepted",
                        id, content.size(), Vocabulary::kMaxTokenBytes);
          }
          if (content != token.content) parts_.spellings[token.id] = content;
          token.content = std::move(content);
        }
        parts_.normalized_added.Add(std::move(token));
      } else {
        parts_.raw_added.Add(std::move(token));
      }
    }
    return {};
  }

  base::Status ReadPostProcessor() {
    const JsonTree* json = FindMember(file_.tree, "post_processor");
    if (!json) return {};
    SWITCHYARD_TRY(const std::string type, RequiredStringMember(*json, "type"));
    if (type != "Sequence") return ReadProcessor(type, *json);
    SWITCHYARD_TRY(const JsonTree* processors, ArrayMember(*json, "processors"));
    if (!processors) return {};
    for (const JsonTree& processor : *processors) {
      SWITCHYARD_TRY(const std::string inner, RequiredStringMember(processor, "type"));
      SWITCHYARD_RETURN_IF_ERROR(ReadProcessor(inner, processor));
    }
    return {};
  }

  base::Status ReadProcessor(std::string_view type, const JsonTree& json) {
    if (type == "ByteLevel") return {};  // it only concerns offsets
    std::vector<TokenId> before;
    std::vector<TokenId> after;
    if (type == "TemplateProcessing") {
      SWITCHYARD_RETURN_IF_ERROR(ReadTemplate(json, &before, &after));
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      SWITCHYARD_RETURN_IF_ERROR(ReadNamedId(json, "cls", &before));
      SWITCHYARD_RETURN_IF_ERROR(ReadNamedId(json, "sep", &after));
    } else {
      return Fail(ErrorCode::kUnimplemented, "'{}' is not supported", type);
    }
    parts_.prefix.insert(parts_.prefix.begin(), before.begin(), before.end());
    parts_.suffix.insert(parts_.suffix.end(), after.begin(), after.end());
    if (parts_.prefix.size() + parts_.suffix.size() > kMaxTemplateTokens) {
      return Fail(ErrorCode::kInvalidArgument, "more than {} tokens stand around a text",
                  kMaxTemplateTokens);
    }
    return {};
  }

  // A pair of a name and an id, such as ["[CLS]", 101].
  base::Status ReadNamedId(const JsonTree& json, const char* name, std::vector<TokenId>* ids) {
    const JsonTree* pair = FindMember(json, name);
    if (!pair || !pair->is_array() || pair->size() != 2) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' must be a pair of a token and its id", name);
    }
    return AppendId((*pair)[1], ids);
  }

  base::Status AppendId(const JsonTree& json, std::vector<TokenId>* ids) {
    const bool fits =
        json.is_number_unsigned() &&
        json.get<std::uint64_t>() < static_cast<std::uint64_t>(Vocabulary::kMaxTokens);
    if (!fits || !parts_.vocabulary->Contains(json.get<TokenId>())) {
      return Fail(ErrorCode::kInvalidArgument, "the id {} is not in the vocabulary",
                  json.is_number() ? json.dump() : "(no number)");
    }
    if (ids->size() >= kMaxTemplateTokens) {
      return Fail(ErrorCode::kInvalidArgument, "a template has more than {} tokens",
                  kMaxTemplateTokens);
    }
    ids->push_back(json.get<TokenId>());
    return {};
  }

  base::Status ReadTemplate(const JsonTree& json, std::vector<TokenId>* before,
                            std::vector<TokenId>* after) {
    SWITCHYARD_TRY(const JsonTree* elements, ArrayMember(json, "single"));
    const JsonTree* specials = FindMember(json, "special_tokens");
    if (!elements) return {};
    std::vector<TokenId>* ids = before;
    for (const JsonTree& element : *elements) {
      if (FindMember(element, "Sequence")) {
        ids = after;
        continue;
      }
      const JsonTree* special = FindMember(element, "SpecialToken");
      if (!special) {
        return Fail(ErrorCode::kInvalidArgument,
                    "a template's element must be a 'Sequence' or a 'SpecialToken'");
      }
      SWITCHYARD_TRY(const std::string name, RequiredStringMember(*special, "id"));
      const JsonTree* entry = specials ? FindMember(*specials, name.c_str()) : nullptr;
      if (!entry) {
        return Fail(ErrorCode::kInvalidArgument,
                    "the template uses '{}', which 'special_tokens' lacks", name);
      }
      SWITCHYARD_TRY(const JsonTree* stated, ArrayMember(*entry, "ids"));
      if (!stated) continue;
      for (const JsonTree& id : *stated) SWITCHYARD_RETURN_IF_ERROR(AppendId(id, ids));
    }
    return {};
  }

  // A token that tokenizer_config.json names, as a string or as an object with its 'content'.
  std::optional<TokenId> ConfiguredToken(const char* member) const {
    const JsonTree* token = FindMember(config_, member);
    if (token && token->is_object()) token = FindMember(*token, "content");
    if (!token || !token->is_string()) return std::nullopt;
    return parts_.vocabulary->Find(token->get_ref<const std::string&>());
  }

  base::Status ReadConfig() {
    parts_.bos = ConfiguredToken("bos_token");
    parts_.eos = ConfiguredToken("eos_token");
    if (!parts_.bos && !parts_.prefix.empty() && config_.is_null()) {
      parts_.bos = parts_.prefix.front();
    }
    // Where the config says whether BOS and EOS are added, transformers rewrites the template.
    SWITCHYARD_RETURN_IF_ERROR(Follow("add_bos_token", parts_.bos, /*at_front=*/true));
    SWITCHYARD_RETURN_IF_ERROR(Follow("add_eos_token", parts_.eos, /*at_front=*/false));

    std::vector<TokenId> stated;
    if (parts_.eos) stated.push_back(*parts_.eos);
    parts_.end_tokens = FindEndTokens(*parts_.vocabulary, stated, [this](TokenId id) {
      const auto index = static_cast<std::size_t>(id);
      return index < is_added_.size() && is_added_[index];
    });
    return {};
  }

  base::Status Follow(const char* member, std::optional<TokenId> token, bool at_front) {
    if (!FindMember(config_, member) || !token) return {};
    SWITCHYARD_TRY(const bool wanted, BoolMember(config_, member, false));
    std::vector<TokenId>& ids = at_front ? parts_.prefix : parts_.suffix;
    const auto place = std::ranges::find(ids, *token);
    if (wanted && place == ids.end()) {
      ids.insert(at_front ? ids.begin() : ids.end(), *token);
    } else if (!wanted && place != ids.end()) {
      ids.erase(place);
    }
    return {};
  }

  TokenizerJson file_;
  JsonTree config_;
  TokenizerParts parts_;
  std::vector<bool> is_added_;  // by id
};

}  // namespace

base::Result<std::unique_ptr<Tokenizer>> LoadHuggingFace(std::string_view tokenizer_json,
                                                         std::string_view tokenizer_config) {
  return HuggingFaceLoader().Load(tokenizer_json, tokenizer_config);
}

}  // namespace switchyard::model::tokenization
