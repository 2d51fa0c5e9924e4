#include "model/internal/tokenizer/end_tokens.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace switchyard::model::tokenization {
namespace {

constexpr auto kNames = std::to_array<std::string_view>({
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|eot|>",
    "<|end|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<turn|>",
    "<|return|>",
    "<|call|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_utterance>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",  // DeepSeek's
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "</s>",
    "<eos>",
});

}  // namespace

std::vector<TokenId> FindEndTokens(const Vocabulary& vocabulary, const std::vector<TokenId>& stated,
                                   const std::function<bool(TokenId)>& is_eligible) {
  std::vector<TokenId> result;
  const auto add = [&](TokenId id) {
    if (vocabulary.Contains(id) && std::ranges::find(result, id) == result.end()) {
      result.push_back(id);
    }
  };
  for (const TokenId id : stated) add(id);
  // Where messages are returned or call a tool, <|end|> only ends one message of an answer.
  const bool has_messages = vocabulary.Find("<|return|>") && vocabulary.Find("<|call|>");
  for (const std::string_view name : kNames) {
    if (has_messages && name == "<|end|>") continue;
    const auto id = vocabulary.Find(name);
    if (id && is_eligible(*id)) add(*id);
  }
  return result;
}

}  // namespace switchyard::model::tokenization
