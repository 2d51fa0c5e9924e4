#include "model/internal/tokenizer/decoder.h"

#include <array>
#include <string_view>
#include <utility>

#include "model/internal/tokenizer/byte_alphabet.h"
#include "model/internal/tokenizer/byte_fallback.h"

namespace switchyard::model::tokenization {
namespace {

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t kept = 0;
  if (!from.empty()) {
    for (std::size_t at = text.find(from); at != std::string_view::npos;
         at = text.find(from, kept)) {
      result.append(text.substr(kept, at - kept)).append(to);
      kept = at + from.size();
    }
  }
  return result.append(text.substr(kept));
}

// A decoder that is a function of the token and its place.
template <typename Function>
class StatelessDecoder : public Decoder {
 public:
  explicit StatelessDecoder(Function function) : function_(std::move(function)) {}
  std::string Apply(std::string token, bool at_start) const override {
    return function_(std::move(token), at_start);
  }

 private:
  Function function_;
};

template <typename Function>
std::unique_ptr<Decoder> DecoderOf(Function function) {
  return std::make_unique<StatelessDecoder<Function>>(std::move(function));
}

// English, as BERT's published detokenizer has it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kCleanUps = {{
    {" .", "."},
    {" ?", "?"},
    {" !", "!"},
    {" ,", ","},
    {" ' ", "'"},
    {" n't", "n't"},
    {" 'm", "'m"},
    {" do not", " don't"},
    {" 's", "'s"},
    {" 've", "'ve"},
    {" 're", "'re"},
}};

}  // namespace

std::unique_ptr<Decoder> MakeDecoderSequence(std::vector<std::unique_ptr<Decoder>> steps) {
  return DecoderOf([steps = std::move(steps)](std::string token, bool at_start) {
    for (const auto& step : steps) token = step->Apply(std::move(token), at_start);
    return token;
  });
}

std::unique_ptr<Decoder> MakeByteLevelDecoder() {
  return DecoderOf([](std::string token, bool) { return BytesOfLetters(token).value_or(token); });
}

std::unique_ptr<Decoder> MakeByteFallbackDecoder() {
  return DecoderOf([](std::string token, bool) {
    const auto byte = ByteOfName(token);
    return byte ? std::string(1, *byte) : token;
  });
}

std::unique_ptr<Decoder> MakeReplaceDecoder(std::string pattern, std::string content) {
  return DecoderOf([pattern = std::move(pattern), content = std::move(content)](
                       std::string token, bool) { return ReplaceAll(token, pattern, content); });
}

std::unique_ptr<Decoder> MakeStripStartDecoder(std::string content, std::size_t count) {
  return DecoderOf([content = std::move(content), count](std::string token, bool at_start) {
    if (!at_start || content.empty()) return token;
    std::string_view rest = token;
    for (std::size_t i = 0; i < count && rest.starts_with(content); ++i) {
      rest.remove_prefix(content.size());
    }
    return std::string(rest);
  });
}

std::unique_ptr<Decoder> MakeMetaspaceDecoder(std::string replacement, bool strips_start) {
  return DecoderOf(
      [replacement = std::move(replacement), strips_start](std::string token, bool at_start) {
        return ReplaceAll(token, replacement, at_start && strips_start ? "" : " ");
      });
}

std::unique_ptr<Decoder> MakeWordPieceDecoder(std::string prefix, bool cleans_up) {
  return DecoderOf([prefix = std::move(prefix), cleans_up](std::string token, bool at_start) {
    if (!at_start) {
      if (token.starts_with(prefix)) {
        token.erase(0, prefix.size());
      } else {
        token = " " + token;
      }
    }
    if (cleans_up) {
      for (const auto& [from, to] : kCleanUps) token = ReplaceAll(token, from, to);
    }
    return token;
  });
}

std::unique_ptr<Decoder> MakeSpaceJoiningDecoder() {
  return DecoderOf([](std::string token, bool at_start) { return at_start ? token : " " + token; });
}

}  // namespace switchyard::model::tokenization
