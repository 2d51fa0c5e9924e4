#include "model/publisher_settings.h"

#include <algorithm>
#include <limits>

#include "model/internal/text_file.h"

namespace switchyard::model {
namespace {

using base::Json;
using base::Result;

// Recommendations that make no sense are no recommendations.
std::optional<float> Within(std::optional<double> value, double least, double most) {
  if (!value || !(*value >= least && *value <= most)) return std::nullopt;
  return static_cast<float>(*value);
}

std::optional<std::int32_t> AsTopK(std::optional<double> value) {
  if (!value || !(*value >= 0.0 && *value <= 1e9)) return std::nullopt;
  return static_cast<std::int32_t>(*value);
}

// Reads a recommendation by name, whatever holds it.
template <typename Number>
void ReadSampling(const Number& number, std::string_view penalty, std::string_view temperature,
                  GenerationDefaults& generation) {
  generation.temperature = Within(number(temperature), 0.0, 100.0);
  generation.top_k = AsTopK(number("top_k"));
  generation.top_p = Within(number("top_p"), 0.0, 1.0);
  generation.min_p = Within(number("min_p"), 0.0, 1.0);
  generation.repetition_penalty = Within(number(penalty), 0.01, 100.0);
}

std::string TokenName(const GgufFile& file, std::string_view id_key) {
  const auto id = file.GetInt(id_key);
  const auto tokens = file.GetStrings("tokenizer.ggml.tokens");
  if (!id || !tokens || *id < 0 || *id >= std::ssize(**tokens)) return {};
  return std::string((**tokens)[static_cast<std::size_t>(*id)]);
}

PublisherSettings FromGguf(const GgufFile& file) {
  PublisherSettings settings;
  settings.chat_template = file.GetString("tokenizer.chat_template").value_or("");
  settings.bos_token = TokenName(file, "tokenizer.ggml.bos_token_id");
  settings.eos_token = TokenName(file, "tokenizer.ggml.eos_token_id");
  const auto number = [&file](std::string_view name) -> std::optional<double> {
    const auto value = file.GetFloat(fmt::format("general.sampling.{}", name));
    return value ? std::optional(*value) : std::nullopt;
  };
  ReadSampling(number, "penalty_repeat", "temp", settings.generation);
  return settings;
}

const Json* Member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string TextMember(const Json& object, std::string_view name) {
  const Json* value = Member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

std::optional<double> NumberMember(const Json& object, std::string_view name) {
  const Json* value = Member(object, name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

// A special token is a text, or an object around it.
std::string SpecialToken(const Json& tokenizer_config, std::string_view name) {
  const Json* value = Member(tokenizer_config, name);
  if (value == nullptr) return {};
  return value->is_string() ? value->get<std::string>() : TextMember(*value, "content");
}

// A template is a text, or a list of named ones, of which "default" is meant for chat.
std::string ChatTemplateMember(const Json& object) {
  const Json* value = Member(object, "chat_template");
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  if (!value->is_array()) return {};
  for (const Json& named : *value) {
    if (TextMember(named, "name") == "default") return TextMember(named, "template");
  }
  return {};
}

// eos_token_id is a number or a list of them.
void AddEndTokens(const Json& object, std::vector<std::int32_t>& end_tokens) {
  const auto add = [&end_tokens](const Json& id) {
    if (!id.is_number_unsigned()) return;
    const auto number = id.get<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) return;
    const auto token = static_cast<std::int32_t>(number);
    if (std::ranges::find(end_tokens, token) == end_tokens.end()) end_tokens.push_back(token);
  };
  const Json* value = Member(object, "eos_token_id");
  if (value == nullptr) return;
  constexpr std::size_t kMost = 64;
  if (value->is_array()) {
    for (std::size_t i = 0; i < std::min(value->size(), kMost); ++i) add((*value)[i]);
  } else {
    add(*value);
  }
}

Result<PublisherSettings> FromFolder(const std::filesystem::path& folder) {
  PublisherSettings settings;
  SWITCHYARD_TRY(const Json tokenizer,
                 internal::ReadJsonFileIfPresent(folder / "tokenizer_config.json"));
  settings.bos_token = SpecialToken(tokenizer, "bos_token");
  settings.eos_token = SpecialToken(tokenizer, "eos_token");
  constexpr std::size_t kLargestTemplate = std::size_t{16} << 20;
  SWITCHYARD_TRY(const base::MappedFile jinja,
                 internal::MapTextFileIfPresent(folder / "chat_template.jinja", kLargestTemplate));
  settings.chat_template = internal::TextOf(jinja);
  if (settings.chat_template.empty()) settings.chat_template = ChatTemplateMember(tokenizer);
  if (settings.chat_template.empty()) {
    SWITCHYARD_TRY(const Json chat, internal::ReadJsonFileIfPresent(folder / "chat_template.json"));
    settings.chat_template = ChatTemplateMember(chat);
  }

  SWITCHYARD_TRY(const Json generation,
                 internal::ReadJsonFileIfPresent(folder / "generation_config.json"));
  if (const Json* sample = Member(generation, "do_sample");
      sample != nullptr && sample->is_boolean()) {
    settings.generation.sample = sample->get<bool>();
  }
  const auto number = [&generation](std::string_view name) {
    return NumberMember(generation, name);
  };
  ReadSampling(number, "repetition_penalty", "temperature", settings.generation);
  AddEndTokens(generation, settings.generation.end_tokens);
  SWITCHYARD_TRY(const Json config, internal::ReadJsonFile(folder / "config.json"));
  AddEndTokens(config, settings.generation.end_tokens);
  if (const Json* text = Member(config, "text_config"); text != nullptr) {
    AddEndTokens(*text, settings.generation.end_tokens);
  }
  return settings;
}

}  // namespace

Result<PublisherSettings> ReadPublisherSettings(const Checkpoint& checkpoint) {
  if (checkpoint.gguf() != nullptr) return FromGguf(*checkpoint.gguf());
  return FromFolder(checkpoint.folder());
}

}  // namespace switchyard::model
