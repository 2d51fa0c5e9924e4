#include "protocol/structured_output.h"

#include <array>
#include <utility>

#include "grammar/choice.h"
#include "grammar/ebnf.h"
#include "grammar/json_schema.h"
#include "grammar/regex.h"

namespace switchyard::protocol {
namespace {

using OutputKind = StructuredOutput::Kind;

constexpr std::size_t kPatternBytes = 64 << 10;
constexpr std::size_t kGrammarBytes = 1 << 20;
constexpr std::size_t kChoices = 10'000;
constexpr std::size_t kChoiceBytes = 4096;

// Collects what the fields ask for, and refuses a second wish.
class Wishes {
 public:
  explicit Wishes(FieldReader& reader) : reader_(reader) {}

  StructuredOutput* Add(OutputKind kind, const std::string& param) {
    if (wanted_.kind != OutputKind::kNone) {
      reader_.Fail(InvalidField(param, "invalid_parameter_combination",
                                fmt::format("Setting '{}' and '{}' at the same time is not "
                                            "supported: an answer has one form.",
                                            wanted_.param, param)));
      return nullptr;
    }
    wanted_.kind = kind;
    wanted_.param = param;
    return &wanted_;
  }

  // A schema as an object or, as vLLM's clients send it, as its text.
  void AddSchema(const base::Json& value, const std::string& param) {
    base::Json schema = value;
    if (value.is_string()) {
      auto parsed = base::ParseJson(value.get_ref<const std::string&>(), param);
      if (!parsed) {
        return reader_.Fail(InvalidField(param, "invalid_value", parsed.error().message));
      }
      schema = std::move(*parsed);
    }
    if (!schema.is_object() && !schema.is_boolean()) {
      return reader_.Fail(WrongType(param, "a JSON schema", schema));
    }
    if (StructuredOutput* wish = Add(OutputKind::kJsonSchema, param))
      wish->schema = std::move(schema);
  }

  // The four kinds, by the names that they have in `fields`.
  void AddKinds(FieldReader& fields, const std::array<std::string_view, 4>& names) {
    const auto& [json, regex, choice, grammar] = names;
    if (const base::Json* schema = fields.Find(json)) AddSchema(*schema, fields.Param(json));
    if (auto text = fields.String(regex, kPatternBytes)) {
      if (auto* wish = Add(OutputKind::kRegex, fields.Param(regex))) wish->text = std::move(*text);
    }
    if (fields.Find(choice) != nullptr) {
      auto choices = fields.Strings(choice, kChoices, kChoiceBytes);
      if (auto* wish = Add(OutputKind::kChoice, fields.Param(choice)))
        wish->choices = std::move(choices);
    }
    if (auto text = fields.String(grammar, kGrammarBytes)) {
      if (auto* wish = Add(OutputKind::kGrammar, fields.Param(grammar)))
        wish->text = std::move(*text);
    }
  }

  void set_blank(std::optional<std::string> blank) {
    if (blank) wanted_.blank = std::move(blank);
  }
  StructuredOutput Take() { return std::move(wanted_); }

 private:
  FieldReader& reader_;
  StructuredOutput wanted_;
};

void ReadResponseFormat(FieldReader& reader, Wishes& wishes) {
  const base::Json* format = reader.Find("response_format");
  if (format == nullptr) return;
  if (!format->is_object()) {
    return reader.Fail(WrongType("response_format", "an object", *format));
  }
  FieldReader inner(*format, "response_format.");
  const auto type = inner.String("type", kNameBytes);
  if (!type) inner.FailMissing("type");
  if (inner.error()) return reader.Fail(*inner.error());
  if (*type == "text") return;
  if (*type == "json_object") {
    // llama.cpp's clients may say more.
    if (const base::Json* schema = inner.Find("schema")) {
      return wishes.AddSchema(*schema, "response_format.schema");
    }
    wishes.Add(OutputKind::kJsonObject, "response_format");
    return;
  }
  if (*type != "json_schema") {
    return reader.Fail(InvalidField(
        "response_format.type", "invalid_value",
        fmt::format("Invalid value: '{}'. Supported values are: 'text', 'json_object' and "
                    "'json_schema'.",
                    *type)));
  }
  const base::Json* named = inner.Find("json_schema");
  if (named == nullptr) {
    inner.FailMissing("json_schema");
    return reader.Fail(*inner.error());
  }
  if (!named->is_object()) {
    return reader.Fail(WrongType("response_format.json_schema", "an object", *named));
  }
  FieldReader fields(*named, "response_format.json_schema.");
  const auto name = fields.String("name", kNameBytes);
  const bool strict = fields.Boolean("strict").value_or(false);
  const base::Json* schema = fields.Find("schema");
  if (schema == nullptr) fields.FailMissing("schema");
  if (fields.error()) return reader.Fail(*fields.error());
  if (!schema->is_object()) {
    return reader.Fail(WrongType("response_format.json_schema.schema", "an object", *schema));
  }
  if (StructuredOutput* wish = wishes.Add(OutputKind::kJsonSchema, "response_format")) {
    wish->schema = *schema;
    wish->schema_name = name.value_or("");
    wish->strict = strict;
  }
}

void ReadStructuredOutputs(FieldReader& reader, Wishes& wishes) {
  const base::Json* object = reader.Find("structured_outputs");
  if (object == nullptr) return;
  if (!object->is_object()) {
    return reader.Fail(WrongType("structured_outputs", "an object", *object));
  }
  FieldReader fields(*object, "structured_outputs.");
  wishes.AddKinds(fields, {"json", "regex", "choice", "grammar"});
  if (fields.Boolean("json_object").value_or(false)) {
    wishes.Add(OutputKind::kJsonObject, "structured_outputs.json_object");
  }
  wishes.set_blank(fields.String("whitespace_pattern", kPatternBytes));
  if (fields.Boolean("disable_any_whitespace").value_or(false)) wishes.set_blank("");
  if (fields.Find("structural_tag") != nullptr) {
    fields.Fail(InvalidField("structured_outputs.structural_tag", "unsupported_parameter",
                             "Unsupported parameter: 'structured_outputs.structural_tag' is not "
                             "supported by this server; leave it out."));
  }
  if (fields.error()) reader.Fail(*fields.error());
}

}  // namespace

std::string StructuredOutput::Key() const {
  const base::Json key = {static_cast<int>(kind),
                          schema,
                          strict,
                          text,
                          choices,
                          blank ? base::Json(*blank) : base::Json()};
  return base::WriteJson(key);
}

StructuredOutput ReadStructuredOutput(FieldReader& reader) {
  Wishes wishes(reader);
  ReadResponseFormat(reader, wishes);
  ReadStructuredOutputs(reader, wishes);
  wishes.AddKinds(reader, {"guided_json", "guided_regex", "guided_choice", "guided_grammar"});
  wishes.set_blank(reader.String("guided_whitespace_pattern", kPatternBytes));
  return wishes.Take();
}

base::Result<grammar::Grammar> ToGrammar(const StructuredOutput& wanted) {
  switch (wanted.kind) {
    case OutputKind::kJsonObject:
      return grammar::FromJsonSchema({{"type", "object"}}, {.blank = wanted.blank});
    case OutputKind::kJsonSchema:
      return grammar::FromJsonSchema(wanted.schema,
                                     {.blank = wanted.blank, .strict = wanted.strict});
    case OutputKind::kRegex:
      return grammar::FromRegex(wanted.text);
    case OutputKind::kChoice:
      return grammar::FromChoices(wanted.choices);
    case OutputKind::kGrammar:
      return grammar::FromEbnf(wanted.text);
    case OutputKind::kNone:
      break;
  }
  return base::Fail(base::ErrorCode::kInternal, "no form was asked for");
}

ApiError InvalidStructuredOutput(const StructuredOutput& wanted, const base::Error& error) {
  if (wanted.param == "response_format" && wanted.kind == OutputKind::kJsonSchema) {
    return InvalidField(wanted.param, "",
                        fmt::format("Invalid schema for response_format '{}': {}",
                                    wanted.schema_name, error.message));
  }
  return InvalidField(wanted.param, "invalid_value",
                      fmt::format("Invalid '{}': {}", wanted.param, error.message));
}

}  // namespace switchyard::protocol
