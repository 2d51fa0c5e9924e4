// Schemas put together and held against each other, as JSON. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace switchyard::grammar::internal {

// What `pointer` ("#/$defs/a") names in `root`. Errors say which pointer leads nowhere.
base::Result<const base::Json*> Resolve(const base::Json& root, const std::string& pointer);

// Keywords that say something to people and nothing about values.
bool IsAnnotation(const std::string& keyword);

// A schema of what fits both. Fails where no single schema says so, naming the keyword. References
// within are followed in `root`.
base::Result<base::Json> Merge(const base::Json& root, const base::Json& a, const base::Json& b);

// Whether certainly no value fits both.
bool ExcludeEachOther(const base::Json& root, const base::Json& a, const base::Json& b);

// The names of `type`, of "string" or ["string", "null"]; empty if there is none.
std::vector<std::string> TypesOf(const base::Json& schema);
// As "integer", …: whether a constant is of that type.
bool IsOfType(const base::Json& value, const std::string& type);

}  // namespace switchyard::grammar::internal
