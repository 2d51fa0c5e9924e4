#include "protocol/member_fields.h"

#include <algorithm>
#include <set>

namespace switchyard::protocol {
namespace {

constexpr std::size_t kMemberIdBytes = 128;

void ReadIdentity(FieldReader& reader, Resume& resume) {
  resume.id = reader.String("id", kMemberIdBytes).value_or("");
  if (!std::ranges::all_of(resume.id, [](char c) { return c > 0x20 && c < 0x7F; })) {
    reader.Fail(InvalidField(reader.Param("id"), "invalid_value",
                             fmt::format("Invalid '{}': it must be printable ASCII without blanks.",
                                         reader.Param("id"))));
  }
  resume.created = reader.Integer("created", 0, std::numeric_limits<std::int32_t>::max());
}

// One list of ids, or one for each prompt.
void ReadPromptTokens(FieldReader& reader, std::size_t prompts, std::size_t max_tokens,
                      Resume& resume) {
  const base::Json* given = reader.Find("prompt_token_ids");
  if (given == nullptr) return;
  const std::string param = reader.Param("prompt_token_ids");
  if (!given->is_array()) return reader.Fail(WrongType(param, "an array of token ids", *given));
  const bool is_nested = !given->empty() && given->front().is_array();
  const std::size_t count = is_nested ? given->size() : 1;
  if (count != prompts) {
    return reader.Fail(
        InvalidField(param, "invalid_value",
                     fmt::format("Invalid '{}': the request has {} prompts, but got ids for {}.",
                                 param, prompts, count)));
  }
  for (std::size_t i = 0; i < count; ++i) {
    auto ids = ReadTokenIds(is_nested ? (*given)[i] : *given, param, max_tokens);
    if (!ids) return reader.Fail(std::move(ids.error()));
    if (ids->empty()) {
      return reader.Fail(InvalidField(param, "empty_array",
                                      fmt::format("Invalid '{}': a prompt has no tokens.", param)));
    }
    resume.prompts.push_back(std::move(*ids));
  }
}

void ReadChoices(FieldReader& reader, std::int64_t count, std::size_t max_tokens, Resume& resume) {
  const base::Json* given = reader.Find("choices");
  if (given == nullptr) return reader.FailMissing("choices");
  const std::string param = reader.Param("choices");
  if (!given->is_array()) return reader.Fail(WrongType(param, "an array", *given));
  if (static_cast<std::int64_t>(given->size()) > count) {
    return reader.Fail(
        InvalidField(param, "array_above_max_length",
                     fmt::format("Invalid '{}': the request has {} choices, but got {}.", param,
                                 count, given->size())));
  }
  std::set<std::int64_t> seen;
  for (std::size_t i = 0; i < given->size(); ++i) {
    const std::string at = fmt::format("{}[{}]", param, i);
    if (!(*given)[i].is_object()) return reader.Fail(WrongType(at, "an object", (*given)[i]));
    FieldReader inner((*given)[i], at + ".");
    ResumedChoice choice;
    const auto index = inner.Integer("index", 0, count - 1);
    if (!index) inner.FailMissing("index");
    choice.token_ids = inner.TokenIds("token_ids", max_tokens);
    choice.is_finished = inner.Boolean("finished").value_or(false);
    if (inner.error()) return reader.Fail(*inner.error());
    if (!seen.insert(*index).second) {
      return reader.Fail(
          InvalidField(at + ".index", "invalid_value",
                       fmt::format("Invalid '{}.index': choice {} is named twice.", at, *index)));
    }
    choice.index = static_cast<std::int32_t>(*index);
    resume.choices.push_back(std::move(choice));
  }
  std::ranges::sort(resume.choices, {}, &ResumedChoice::index);
}

}  // namespace

MemberFields ReadMemberFields(FieldReader& reader, std::size_t prompts, std::int32_t n,
                              std::size_t max_prompt_tokens) {
  MemberFields fields;
  fields.return_token_ids = reader.Boolean("return_token_ids").value_or(false);
  const base::Json* extension = reader.Find("switchyard");
  if (extension == nullptr) return fields;
  if (!extension->is_object()) {
    reader.Fail(WrongType("switchyard", "an object", *extension));
    return fields;
  }
  fields.has_extension = true;
  FieldReader inner(*extension, "switchyard.");
  // A version that is not this one may mean what would be missed here.
  if (const auto version = inner.Integer("version", 1, kMemberProtocolVersion); !version) {
    inner.FailMissing("version");
  }
  fields.prompt_ids_once = inner.Boolean("prompt_ids_once").value_or(false);
  if (const base::Json* given = inner.Find("resume"); given != nullptr) {
    if (!given->is_object()) {
      inner.Fail(WrongType("switchyard.resume", "an object", *given));
    } else {
      FieldReader resumed(*given, "switchyard.resume.");
      Resume& resume = fields.resume.emplace();
      ReadIdentity(resumed, resume);
      ReadPromptTokens(resumed, prompts, max_prompt_tokens, resume);
      ReadChoices(resumed, static_cast<std::int64_t>(prompts) * n, max_prompt_tokens, resume);
      if (resumed.error()) inner.Fail(*resumed.error());
    }
  }
  if (inner.error()) reader.Fail(*inner.error());
  // Without it a choice could not go on as it began.
  if (fields.resume && reader.Find("seed") == nullptr) reader.FailMissing("seed");
  return fields;
}

}  // namespace switchyard::protocol
