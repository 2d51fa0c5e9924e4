// Reads the text of a tokenizer.json. The vocabulary and the merges, which are most of it, go
// straight into tables; the rest becomes a small JSON tree.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace switchyard::model::tokenization {

// With sorted objects: base::Json looks keys up one by one, which a hostile file makes quadratic.
using JsonTree = nlohmann::json;

struct TokenizerJson {
  JsonTree tree;  // all but the following, which are left out
  std::vector<std::pair<std::string, std::int64_t>> vocabulary;   // model.vocab, an object
  std::vector<std::pair<std::string, double>> scored_vocabulary;  // model.vocab, an array
  std::vector<std::pair<std::string, std::string>> merges;        // model.merges
};

base::Result<TokenizerJson> ParseTokenizerJson(std::string_view text);

// Any JSON text as a tree, with a limit on nesting. `subject` names it in errors.
base::Result<JsonTree> ParseJsonTree(std::string_view text, std::string_view subject);

// The members of an object. A member that is absent or null has the default; one of another type
// than asked is an error that names it.
base::Result<bool> BoolMember(const JsonTree& object, const char* name, bool fallback);
base::Result<std::string> StringMember(const JsonTree& object, const char* name,
                                       std::string_view fallback);
base::Result<std::string> RequiredStringMember(const JsonTree& object, const char* name);
base::Result<std::int64_t> IntMember(const JsonTree& object, const char* name,
                                     std::int64_t fallback);
// Null if absent or null.
base::Result<const JsonTree*> ArrayMember(const JsonTree& object, const char* name);
const JsonTree* FindMember(const JsonTree& object, const char* name);

}  // namespace switchyard::model::tokenization
