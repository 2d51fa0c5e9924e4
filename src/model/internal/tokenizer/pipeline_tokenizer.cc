#include "model/internal/tokenizer/pipeline_tokenizer.h"

#include <algorithm>
#include <utility>

#include "model/internal/unicode/utf8.h"

namespace switchyard::model::tokenization {
namespace {

// The models count in 32 bits and need some 24 bytes for one of text; a longer piece is cut.
constexpr std::size_t kMaxPieceBytes = std::size_t{1} << 26;

}  // namespace

base::Result<std::vector<TokenId>> PipelineTokenizer::Encode(std::string_view text,
                                                             EncodeOptions options) const {
  std::string repaired;
  if (!unicode::IsValidUtf8(text)) {
    repaired = unicode::ReplaceBrokenUtf8(text);
    text = repaired;
  }
  std::vector<TokenId> ids;
  if (options.add_special) ids = parts_.prefix;
  RegexScratch scratch;
  SWITCHYARD_RETURN_IF_ERROR(parts_.raw_added.Split(
      text, options.parse_special,
      [&](std::size_t begin, std::size_t end) {
        return EncodeText(text.substr(begin, end - begin), begin == 0, options.parse_special,
                          &scratch, &ids);
      },
      [&](TokenId id) { ids.push_back(id); }));
  if (options.add_special) ids.insert(ids.end(), parts_.suffix.begin(), parts_.suffix.end());
  return ids;
}

base::Status PipelineTokenizer::EncodeText(std::string_view text, bool at_start, bool with_special,
                                           RegexScratch* scratch, std::vector<TokenId>* ids) const {
  std::string normalized(text);
  if (parts_.normalizer) {
    SWITCHYARD_TRY(normalized, parts_.normalizer->Apply(std::move(normalized), scratch));
  }
  if (parts_.normalized_added.empty()) {
    return EncodeNormalized(std::move(normalized), at_start, scratch, ids);
  }
  return parts_.normalized_added.Split(
      normalized, with_special,
      [&](std::size_t begin, std::size_t end) {
        return EncodeNormalized(normalized.substr(begin, end - begin), at_start && begin == 0,
                                scratch, ids);
      },
      [&](TokenId id) { ids->push_back(id); });
}

base::Status PipelineTokenizer::EncodeNormalized(std::string text, bool at_start,
                                                 RegexScratch* scratch,
                                                 std::vector<TokenId>* ids) const {
  if (text.empty()) return {};
  Pieces pieces;
  pieces.spans.push_back({0, text.size()});
  pieces.text = std::move(text);
  pieces.at_start = at_start;
  pieces.scratch = scratch;
  if (parts_.pre_tokenizer) SWITCHYARD_RETURN_IF_ERROR(parts_.pre_tokenizer->Apply(&pieces));
  for (const Span span : pieces.spans) {
    std::string_view rest = pieces.Piece(span);
    while (rest.size() > kMaxPieceBytes) {
      const std::size_t cut = unicode::CompleteUtf8Length(rest.substr(0, kMaxPieceBytes));
      parts_.model->Tokenize(rest.substr(0, cut), ids);
      rest.remove_prefix(cut);
    }
    parts_.model->Tokenize(rest, ids);
  }
  return {};
}

std::string PipelineTokenizer::TokenBytes(TokenId id, bool skip_special, bool at_start) const {
  if (!parts_.vocabulary->Contains(id) || (skip_special && IsSpecial(id))) return {};
  const auto spelling = parts_.spellings.find(id);
  std::string name(spelling == parts_.spellings.end() ? parts_.vocabulary->Name(id)
                                                      : spelling->second);
  return IsMarked(id, parts_.is_verbatim) ? name : parts_.decoder->Apply(std::move(name), at_start);
}

std::string PipelineTokenizer::Decode(std::span<const TokenId> ids, bool skip_special) const {
  TokenStream stream(*this, skip_special);
  std::string text;
  for (const TokenId id : ids) text.append(stream.Push(id));
  return text.append(stream.Finish());
}

bool PipelineTokenizer::adds_bos() const {
  return parts_.bos && !parts_.prefix.empty() && parts_.prefix.front() == *parts_.bos;
}

}  // namespace switchyard::model::tokenization
