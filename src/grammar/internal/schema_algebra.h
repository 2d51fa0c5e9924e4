// Schemas put together and held against each other, as JSON.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace switchyard::grammar::internal {

// Refuses a schema that is too large to be read in time, whatever it says.
base::Status CheckSize(const base::Json& schema);

// Works within one schema, whose references it follows, and within a bound on how many values it
// copies and compares; beyond that it fails. Lives for one schema, on one thread.
class SchemaAlgebra {
 public:
  // `root` outlives this.
  explicit SchemaAlgebra(const base::Json& root) : root_(root) {}

  // What `pointer` ("#/$defs/a") names. Errors say which pointer leads nowhere.
  base::Result<const base::Json*> Resolve(const std::string& pointer);
  // A schema of what fits both. Fails where no single schema says so, naming the keyword.
  base::Result<base::Json> Merge(const base::Json& a, const base::Json& b);
  // Whether certainly no value fits both.
  base::Result<bool> ExcludeEachOther(const base::Json& a, const base::Json& b);

 private:
  // The schema itself, or what its $ref leads to if it says nothing else.
  const base::Json& Follow(const base::Json& schema);
  // Whether both require a property whose values they list, and share none.
  base::Result<bool> DifferInAProperty(const base::Json& a, const base::Json& b);
  base::Status Spend(std::size_t values);

  const base::Json& root_;
  std::map<std::string, const base::Json*> resolved_;  // by pointer
  std::size_t spent_ = 0;
};

// Keywords that say something to people and nothing about values.
bool IsAnnotation(const std::string& keyword);

// The names of `type`, of "string" or ["string", "null"], each once; empty if there is none. Of a
// list that is longer than there are types, its beginning, which then has a name that is none.
std::vector<std::string> TypesOf(const base::Json& schema);
// As "integer", …: whether a constant is of that type.
bool IsOfType(const base::Json& value, const std::string& type);

}  // namespace switchyard::grammar::internal
