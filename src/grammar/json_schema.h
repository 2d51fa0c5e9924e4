// JSON texts that fit a JSON Schema (draft 2020-12). Supported: type (also lists), enum, const,
// properties, required, additionalProperties, items, prefixItems, minItems, maxItems, minLength,
// maxLength, pattern, format, minimum, maximum and their exclusive kin, anyOf, allOf, oneOf whose
// alternatives exclude each other, and $ref within the schema, also to itself. What is not
// supported is refused by name, with its place as a JSON pointer.
//
// Every text that is allowed fits the schema. Not every text that fits is allowed: properties come
// in the schema's order, those that it does not declare come only where additionalProperties asks
// for them and without escapes in their names, and white space is short. Pure functions; any
// thread.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "grammar/grammar.h"

namespace switchyard::grammar {

struct JsonSchemaOptions {
  // A regular expression of what may stand between JSON's tokens; none: a space, or a new line and
  // its indentation, or nothing.
  std::optional<std::string> blank;
  // OpenAI's strict mode: the root is an object, and every object names all its properties as
  // required and allows no others.
  bool strict = false;
};

base::Result<Grammar> FromJsonSchema(const base::Json& schema,
                                     const JsonSchemaOptions& options = {});

// Whether OpenAI's strict mode takes the schema.
base::Status CheckStrict(const base::Json& schema);

}  // namespace switchyard::grammar
