#include "grammar/internal/schema_algebra.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

namespace switchyard::grammar::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;
using base::Status;

// Bounds on a schema's size, so that reading it stays below a second whatever it says.
constexpr std::size_t kMostValues = 20'000;
constexpr std::size_t kMostBytes = 1 << 20U;   // of keys and strings
constexpr std::size_t kMostSpent = 1'000'000;  // values that are copied and compared
constexpr std::size_t kBytesOfValue = 16;      // of a string that cost as much as another value
constexpr int kMostReferences = 32;            // one to the other, before something else comes
constexpr std::size_t kMostTypes = 8;          // one more than there are

struct Size {
  std::size_t values = 0;
  std::size_t bytes = 0;
  std::size_t price() const { return values + bytes / kBytesOfValue; }
};

// Of a tree, its root included; recursion is bounded by the text's depth.
void AddSize(const Json& value, Size& size) {
  ++size.values;
  if (value.is_string()) size.bytes += value.get_ref<const std::string&>().size();
  if (value.is_object()) {
    for (const auto& [key, child] : value.items()) {
      size.bytes += key.size();
      AddSize(child, size);
    }
  } else if (value.is_array()) {
    for (const Json& child : value) AddSize(child, size);
  }
}

Size SizeOf(const Json& value) {
  Size size;
  AddSize(value, size);
  return size;
}

// An order of values in which those that are equal as JSON are equal, as 1 and 1.0 are.
struct ByValue {
  bool operator()(const Json* a, const Json* b) const { return Less(*a, *b); }

  static bool Less(const Json& a, const Json& b) {
    if (a.is_number() && b.is_number()) return a.get<long double>() < b.get<long double>();
    if (a.type() != b.type()) return a.type() < b.type();
    if (a.is_string()) return a.get_ref<const std::string&>() < b.get_ref<const std::string&>();
    if (a.is_boolean()) return a.get<bool>() < b.get<bool>();
    if (a.is_array()) return std::ranges::lexicographical_compare(a, b, Less);
    if (!a.is_object()) return false;
    return std::ranges::lexicographical_compare(
        a.get_ref<const Json::object_t&>(), b.get_ref<const Json::object_t&>(),
        [](const auto& x, const auto& y) {
          return x.first != y.first ? x.first < y.first : Less(x.second, y.second);
        });
  }
};
using ValueSet = std::set<const Json*, ByValue>;  // of values that others own
using Values = std::vector<const Json*>;

ValueSet SetOf(const Values& values) { return {values.begin(), values.end()}; }

Values ElementsOf(const Json& list) {
  Values values;
  for (const Json& element : list) values.push_back(&element);
  return values;
}

// An object's members by name: the objects here look for a name in linear time.
using Members = std::map<std::string_view, const Json*>;

Members MembersOf(const Json& object) {
  Members members;
  if (!object.is_object()) return members;
  for (auto at = object.begin(); at != object.end(); ++at) members.emplace(at.key(), &at.value());
  return members;
}

// The values that `schema` lists, if it does.
std::optional<Values> ConstantsOf(const Json& schema) {
  if (!schema.is_object()) return std::nullopt;
  if (schema.contains("const")) return Values{&schema["const"]};
  if (!schema.contains("enum") || !schema["enum"].is_array()) return std::nullopt;
  return ElementsOf(schema["enum"]);
}

bool ShareNone(const Values& a, const Values& b) {
  const ValueSet set = SetOf(b);
  return std::ranges::none_of(a, [&](const Json* value) { return set.contains(value); });
}

bool Overlap(const std::string& a, const std::string& b) {
  return a == b || (a == "integer" && b == "number") || (a == "number" && b == "integer");
}

ValueSet RequiredOf(const Json& schema) {
  if (!schema.contains("required") || !schema["required"].is_array()) return {};
  return SetOf(ElementsOf(schema["required"]));
}

std::vector<std::string> CommonTypes(const Json& a, const Json& b) {
  std::vector<std::string> common;
  const std::vector<std::string> types = TypesOf(b);
  for (const std::string& x : TypesOf(a)) {
    for (const std::string& y : types) {
      if (!Overlap(x, y)) continue;
      const std::string& narrower = x == "integer" ? x : y;
      if (std::ranges::find(common, narrower) == common.end()) common.push_back(narrower);
    }
  }
  return common;
}

std::unexpected<base::Error> CannotMerge(const std::string& keyword) {
  return Fail(ErrorCode::kInvalidArgument, "'{}' is said twice, in ways that can't be put together",
              keyword);
}

// Without a look for the key, which is not there.
void Append(Json& object, const std::string& key, Json value) {
  object.get_ref<Json::object_t&>().push_back({key, std::move(value)});
}

// What `b` has and `a` has not.
void AppendOthers(Json& object, const Json& a, const Json& b) {
  const Members known = MembersOf(a);
  for (const auto& [key, value] : b.items()) {
    if (!known.contains(key)) Append(object, key, value);
  }
}

Result<Json> MergeProperties(const Json& a, const Json& b) {
  if (!a.is_object() || !b.is_object()) return CannotMerge("properties");
  Json merged = Json::object();
  const Members others = MembersOf(b);
  for (const auto& [name, schema] : a.items()) {
    const auto other = others.find(name);
    // Put together when it is read.
    Append(merged, name,
           other == others.end() ? schema : Json{{"allOf", Json::array({schema, *other->second})}});
  }
  AppendOthers(merged, a, b);
  return merged;
}

// One keyword that both have, with different values.
Result<Json> MergeKeyword(const std::string& keyword, const Json& a, const Json& b) {
  static constexpr auto kLargest =
      std::to_array<std::string_view>({"minimum", "exclusiveMinimum", "minLength", "minItems"});
  static constexpr auto kSmallest =
      std::to_array<std::string_view>({"maximum", "exclusiveMaximum", "maxLength", "maxItems"});
  if (std::ranges::find(kLargest, keyword) != kLargest.end() && a.is_number() && b.is_number()) {
    return std::max(a, b);
  }
  if (std::ranges::find(kSmallest, keyword) != kSmallest.end() && a.is_number() && b.is_number()) {
    return std::min(a, b);
  }
  if (keyword == "properties") return MergeProperties(a, b);
  if (keyword == "required" && a.is_array() && b.is_array()) {
    Json merged = a;
    ValueSet known = SetOf(ElementsOf(a));
    for (const Json& name : b) {
      if (known.insert(&name).second) merged.push_back(name);
    }
    return merged;
  }
  if (keyword == "enum" && a.is_array() && b.is_array()) {
    Json merged = Json::array();
    const ValueSet known = SetOf(ElementsOf(b));
    for (const Json& value : a) {
      if (known.contains(&value)) merged.push_back(value);
    }
    return merged;
  }
  if (keyword == "allOf" && a.is_array() && b.is_array()) {
    Json merged = a;
    merged.insert(merged.end(), b.begin(), b.end());
    return merged;
  }
  if (keyword == "items") return Json{{"allOf", Json::array({a, b})}};
  return CannotMerge(keyword);
}

// {"additionalProperties": false} speaks of the properties beside it only.
bool ClosesOver(const Json& closed, const Json& other) {
  if (!closed.contains("additionalProperties") || closed["additionalProperties"] == true) {
    return false;
  }
  if (!other.contains("properties")) return false;
  const Members known = closed.contains("properties") ? MembersOf(closed["properties"]) : Members();
  return std::ranges::any_of(other["properties"].items(),
                             [&](const auto& item) { return !known.contains(item.key()); });
}

Result<const Json*> Find(const Json& root, const std::string& pointer) {
  const auto nowhere = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                "the reference '{}' leads nowhere: only '#' and '#/…' within the schema are "
                "followed",
                pointer);
  };
  if (!pointer.starts_with("#")) return nowhere();
  const Json* at = &root;
  std::string_view rest = std::string_view(pointer).substr(1);
  while (!rest.empty()) {
    if (rest.front() != '/') return nowhere();
    rest.remove_prefix(1);
    std::string name;
    for (; !rest.empty() && rest.front() != '/'; rest.remove_prefix(1)) {
      const bool is_escape = rest.front() == '~' && rest.size() > 1;
      if (is_escape) rest.remove_prefix(1);
      name += !is_escape ? rest.front() : rest.front() == '1' ? '/' : '~';
    }
    if (at->is_object() && at->contains(name)) {
      at = &(*at)[name];
    } else if (at->is_array() && !name.empty() && name.size() < 7 &&
               std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) &&
               std::stoul(name) < at->size()) {
      at = &(*at)[std::stoul(name)];
    } else {
      return nowhere();
    }
  }
  return at;
}

}  // namespace

Status CheckSize(const Json& schema) {
  const Size size = SizeOf(schema);
  if (size.values <= kMostValues && size.bytes <= kMostBytes) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "the schema has {} values and {} bytes of text, and at most {} and {} are read",
              size.values, size.bytes, kMostValues, kMostBytes);
}

Status SchemaAlgebra::Spend(std::size_t values) {
  spent_ += values;
  if (spent_ <= kMostSpent) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "too much is to be put together or compared: use fewer or smaller alternatives");
}

const Json& SchemaAlgebra::Follow(const Json& schema) {
  const Json* at = &schema;
  for (int i = 0; i < kMostReferences; ++i) {
    if (!at->is_object() || !at->contains("$ref") || !(*at)["$ref"].is_string()) break;
    const auto& pointer = (*at)["$ref"].get_ref<const std::string&>();
    spent_ += 1 + pointer.size() / kBytesOfValue;
    const auto target = Resolve(pointer);
    if (!target) break;
    at = *target;
  }
  return *at;
}

Result<const Json*> SchemaAlgebra::Resolve(const std::string& pointer) {
  if (const auto known = resolved_.find(pointer); known != resolved_.end()) return known->second;
  SWITCHYARD_TRY(const Json* target, Find(root_, pointer));
  resolved_.emplace(pointer, target);
  return target;
}

bool IsAnnotation(const std::string& keyword) {
  static constexpr auto kAnnotations = std::to_array<std::string_view>(
      {"title", "description", "default", "examples", "example", "$schema", "$id", "$comment",
       "$defs", "definitions", "deprecated", "readOnly", "writeOnly", "discriminator"});
  return std::ranges::find(kAnnotations, keyword) != kAnnotations.end() ||
         keyword.starts_with("x-");
}

Result<Json> SchemaAlgebra::Merge(const Json& first, const Json& second) {
  const Json& a = Follow(first);
  const Json& b = Follow(second);
  SWITCHYARD_RETURN_IF_ERROR(Spend(SizeOf(a).price() + SizeOf(b).price()));
  if (a.is_boolean()) return a == true ? b : a;
  if (b.is_boolean()) return b == true ? a : b;
  if (!a.is_object() || !b.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "a schema is an object or a boolean");
  }
  if (ClosesOver(a, b) || ClosesOver(b, a)) return CannotMerge("additionalProperties");
  Json merged = Json::object();
  const Members others = MembersOf(b);
  for (const auto& [keyword, value] : a.items()) {
    const auto other = others.find(keyword);
    if (other == others.end() || *other->second == value || IsAnnotation(keyword)) {
      Append(merged, keyword, value);
    } else if (keyword == "type") {
      Append(merged, keyword, CommonTypes(a, b));
    } else {
      SWITCHYARD_TRY(Json both, MergeKeyword(keyword, value, *other->second));
      Append(merged, keyword, std::move(both));
    }
  }
  AppendOthers(merged, a, b);
  return merged;
}

Result<bool> SchemaAlgebra::ExcludeEachOther(const Json& first, const Json& second) {
  const Json& a = Follow(first);
  const Json& b = Follow(second);
  SWITCHYARD_RETURN_IF_ERROR(Spend(1));
  if (!a.is_object() || !b.is_object()) return false;
  const auto a_values = ConstantsOf(a);
  const auto b_values = ConstantsOf(b);
  if (a_values && b_values) {
    SWITCHYARD_RETURN_IF_ERROR(Spend(a_values->size() + b_values->size()));
    return ShareNone(*a_values, *b_values);
  }
  const std::vector<std::string> a_types = TypesOf(a);
  const std::vector<std::string> b_types = TypesOf(b);
  if (!a_types.empty() && !b_types.empty() && CommonTypes(a, b).empty()) return true;
  if (!a.contains("properties") || !b.contains("properties")) return false;
  const bool are_objects = a_types == std::vector<std::string>{"object"} || b_types == a_types;
  if (!are_objects || !a["properties"].is_object() || !b["properties"].is_object()) return false;
  return DifferInAProperty(a, b);
}

Result<bool> SchemaAlgebra::DifferInAProperty(const Json& a, const Json& b) {
  const ValueSet a_required = RequiredOf(a);
  const ValueSet b_required = RequiredOf(b);
  const Members others = MembersOf(b["properties"]);
  SWITCHYARD_RETURN_IF_ERROR(
      Spend(a_required.size() + b_required.size() + a["properties"].size() + others.size()));
  for (const auto& [name, property] : a["properties"].items()) {
    const Json required = name;
    const auto other = others.find(name);
    if (other == others.end() || !a_required.contains(&required) ||
        !b_required.contains(&required)) {
      continue;
    }
    const auto x = ConstantsOf(Follow(property));
    const auto y = ConstantsOf(Follow(*other->second));
    if (!x || !y) continue;
    SWITCHYARD_RETURN_IF_ERROR(Spend(x->size() + y->size()));
    if (ShareNone(*x, *y)) return true;
  }
  return false;
}

std::vector<std::string> TypesOf(const Json& schema) {
  std::vector<std::string> types;
  if (!schema.contains("type")) return types;
  const Json& type = schema["type"];
  if (type.is_string()) types.push_back(type.get<std::string>());
  if (!type.is_array()) return types;
  for (const Json& one : type) {
    if (types.size() == kMostTypes) break;
    if (!one.is_string()) continue;
    const auto& name = one.get_ref<const std::string&>();
    if (std::ranges::find(types, name) == types.end()) types.push_back(name);
  }
  return types;
}

bool IsOfType(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  if (type == "integer") {
    return value.is_number_integer() ||
           (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
  }
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "object") return value.is_object();
  return type == "array" && value.is_array();
}

}  // namespace switchyard::grammar::internal
