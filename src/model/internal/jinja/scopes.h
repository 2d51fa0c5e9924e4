// Resolves each variable of a template to a frame and a slot, by jinja2's scoping rules: loops,
// macros, with, set and filter blocks have frames of their own; if has none; what a frame assigns
// anywhere is its own variable from the start. Rules as in jinja2's idtracking.
#pragma once

#include "model/internal/jinja/ast.h"

namespace switchyard::model::jinja {

// Fails with kSyntax and sets *line to where.
void BindVariables(Tree* tree, int* line);

}  // namespace switchyard::model::jinja
