// What form a request wants its answer in: OpenAI's response_format, and vLLM's structured_outputs
// and the older guided_json, guided_regex, guided_choice and guided_grammar. Values and pure
// functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "grammar/grammar.h"
#include "protocol/field_reader.h"

namespace switchyard::protocol {

struct StructuredOutput {
  enum class Kind : std::uint8_t { kNone, kJsonObject, kJsonSchema, kRegex, kChoice, kGrammar };
  Kind kind = Kind::kNone;
  std::string param;                 // the field that asks for it
  base::Json schema;                 // of kJsonSchema
  std::string schema_name;           // as OpenAI's errors call it; may be empty
  bool strict = false;               // OpenAI's strict mode
  std::string text;                  // of kRegex and kGrammar
  std::vector<std::string> choices;  // of kChoice
  std::optional<std::string> blank;  // vLLM's whitespace_pattern

  // Equal where the same texts are allowed; for a cache.
  std::string Key() const;
};

// Reads all the fields that can ask for a form; at most one may.
StructuredOutput ReadStructuredOutput(FieldReader& reader);

// Not for kNone. Takes as long as a schema or a grammar takes to read.
base::Result<grammar::Grammar> ToGrammar(const StructuredOutput& wanted);

// 400, of the field that asked.
ApiError InvalidStructuredOutput(const StructuredOutput& wanted, const base::Error& error);

}  // namespace switchyard::protocol
