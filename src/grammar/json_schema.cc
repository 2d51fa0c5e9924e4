#include "grammar/json_schema.h"

#include "grammar/internal/schema_algebra.h"
#include "grammar/internal/schema_reader.h"
#include "grammar/json_text.h"
#include "grammar/regex.h"

namespace switchyard::grammar {

base::Result<Grammar> FromJsonSchema(const base::Json& schema, const JsonSchemaOptions& options) {
  SWITCHYARD_RETURN_IF_ERROR(internal::CheckSize(schema));
  if (options.strict) SWITCHYARD_RETURN_IF_ERROR(CheckStrict(schema));
  Grammar grammar;
  ExprId blank = JsonText::ShortBlank(grammar);
  if (options.blank) {
    SWITCHYARD_TRY(blank, AddRegex(grammar, *options.blank, {.subject = "the white space"}));
  }
  SWITCHYARD_TRY(const ExprId root, internal::SchemaReader(schema, grammar, blank).Read());
  grammar.SetRoot(root);
  return grammar;
}

}  // namespace switchyard::grammar
