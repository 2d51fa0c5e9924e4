#include "protocol/refused_fields.h"

#include <array>

#include "base/json.h"

namespace switchyard::protocol {
namespace {

struct Refused {
  std::string_view name;
  // JSON texts of the values that change nothing, separated by blanks.
  std::string_view harmless;
};

// OpenAI's own, then those that vLLM adds.
constexpr auto kEverywhere = std::to_array<Refused>({
    {"suffix", "\"\""},
    {"structural_tag", ""},
    {"prompt_logprobs", ""},
    {"use_beam_search", "false"},
    {"length_penalty", "1 1.0"},
    {"logits_processors", "[]"},
    {"spaces_between_special_tokens", "true"},
    {"prompt_embeds", ""},
});

constexpr auto kChatOnly = std::to_array<Refused>({
    {"echo", "false"},
    {"best_of", "1"},
    {"functions", "[]"},
    {"function_call", "\"none\" \"auto\""},
    {"modalities", "[\"text\"]"},
    {"audio", ""},
    {"prediction", ""},
    {"web_search_options", ""},
    {"verbosity", "\"medium\""},
    {"add_special_tokens", "false"},
    {"chat_template", ""},
});

bool IsHarmless(const base::Json& value, std::string_view harmless) {
  const std::string text = base::WriteJson(value);
  while (!harmless.empty()) {
    const std::size_t end = harmless.find(' ');
    if (text == harmless.substr(0, end)) return true;
    if (end == std::string_view::npos) break;
    harmless.remove_prefix(end + 1);
  }
  return false;
}

void Refuse(FieldReader& reader, const Refused& field) {
  const base::Json* value = reader.Find(field.name);
  if (value == nullptr || IsHarmless(*value, field.harmless)) return;
  reader.Fail(
      InvalidField(reader.Param(field.name), "unsupported_parameter",
                   fmt::format("Unsupported parameter: '{}' is not supported by this server{}.",
                               reader.Param(field.name),
                               field.harmless.empty()
                                   ? "; leave it out"
                                   : fmt::format("; leave it out or give {}", field.harmless))));
}

}  // namespace

void RefuseUnsupported(FieldReader& reader, Endpoint endpoint) {
  for (const Refused& field : kEverywhere) Refuse(reader, field);
  if (endpoint != Endpoint::kChat) return;
  for (const Refused& field : kChatOnly) Refuse(reader, field);
}

}  // namespace switchyard::protocol
