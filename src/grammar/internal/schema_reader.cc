#include "grammar/internal/schema_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>

#include "grammar/internal/json_formats.h"
#include "grammar/internal/json_numbers.h"
#include "grammar/regex.h"

namespace switchyard::grammar::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;
using base::Status;

// Bounds beside those on the schema's size and on what is put together, so that reading it stays
// below a second whatever it says.
constexpr std::size_t kMostSchemas = 20'000;           // read, each as often as it is met
constexpr std::size_t kMostAlternatives = 64;          // of oneOf, which are compared in pairs
constexpr std::size_t kMostPatternBytes = 256 << 10U;  // each pattern as often as it is met
constexpr int kMostSchemaDepth = 100;
// Of a place, which names the rules of all that is within.
constexpr std::size_t kMostPlaceBytes = 1000;
constexpr std::size_t kMostNameBytes = 200;
// An integer beyond is no longer exact as a double, in which JSON's numbers come.
constexpr double kMostIntegerBound = 9e15;

constexpr auto kTypes = std::to_array<std::string_view>(
    {"object", "array", "string", "integer", "number", "boolean", "null"});

// Each keyword that means something for values of one type, and the type.
constexpr auto kTyped = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"properties", "object"},
    {"required", "object"},
    {"additionalProperties", "object"},
    {"items", "array"},
    {"prefixItems", "array"},
    {"minItems", "array"},
    {"maxItems", "array"},
    {"minLength", "string"},
    {"maxLength", "string"},
    {"pattern", "string"},
    {"format", "string"},
    {"minimum", "number"},
    {"maximum", "number"},
    {"exclusiveMinimum", "number"},
    {"exclusiveMaximum", "number"},
});

constexpr auto kGeneral =
    std::to_array<std::string_view>({"$ref", "type", "enum", "const", "anyOf", "oneOf", "allOf"});

// Beyond the bounds it is cut, as places are for people.
std::string Child(const std::string& at, const std::string& name) {
  if (at.size() >= kMostPlaceBytes) return at;
  if (name.size() <= kMostNameBytes) return at + "/" + name;
  return at + "/" + name.substr(0, kMostNameBytes) + "…";
}

// An error of this place; one of a place within says so itself.
std::unexpected<base::Error> At(const std::string& at, std::string_view sentence) {
  return Fail(ErrorCode::kInvalidArgument, "the schema at '{}': {}", at, sentence);
}

// A keyword that changes nothing as it stands.
bool IsHarmless(const std::string& keyword, const Json& value) {
  return (keyword == "uniqueItems" && value == false) ||
         (keyword == "minProperties" && value == 0) || (keyword == "minContains" && value == 0);
}

}  // namespace

Result<ExprId> SchemaReader::Read() { return ReadSchema(root_, "#"); }

Result<ExprId> SchemaReader::ReadSchema(const Json& schema, const std::string& at) {
  if (++schemas_ > kMostSchemas || depth_ >= kMostSchemaDepth) {
    return At(at, fmt::format("more than {} schemas, or more than {} one within another",
                              kMostSchemas, kMostSchemaDepth));
  }
  SWITCHYARD_RETURN_IF_ERROR(grammar_.CheckBounds());
  if (schema.is_boolean()) return schema == true ? text_.Value() : grammar_.Nothing();
  if (!schema.is_object()) return At(at, "a schema is an object or a boolean");
  SWITCHYARD_RETURN_IF_ERROR(RefuseUnknown(schema, at));
  ++depth_;
  auto read = ReadObjectOfKeywords(schema, at);
  --depth_;
  return read;
}

Status SchemaReader::RefuseUnknown(const Json& schema, const std::string& at) const {
  for (const auto& [keyword, value] : schema.items()) {
    const bool is_known = std::ranges::find(kGeneral, keyword) != kGeneral.end() ||
                          std::ranges::find(kTyped, keyword, [](const auto& typed) {
                            return typed.first;
                          }) != kTyped.end();
    if (is_known || IsAnnotation(keyword) || IsHarmless(keyword, value)) continue;
    return At(at, fmt::format("the keyword '{}' is not supported", keyword));
  }
  return {};
}

Result<ExprId> SchemaReader::ReadObjectOfKeywords(const Json& schema, const std::string& at) {
  if (schema.contains("$ref")) return ReadReference(schema, at);
  if (schema.contains("allOf")) return ReadAllOf(schema, at);
  if (schema.contains("anyOf")) return ReadAlternatives(schema, "anyOf", at);
  if (schema.contains("oneOf")) return ReadAlternatives(schema, "oneOf", at);
  if (schema.contains("enum") || schema.contains("const")) return ReadConstants(schema, at);

  std::vector<std::string> types = TypesOf(schema);
  if (schema.contains("type")) {
    for (const std::string& type : types) {
      if (std::ranges::find(kTypes, type) != kTypes.end()) continue;
      return At(at, fmt::format("there is no type '{}'", type));
    }
    if (types.empty()) return At(at, "'type' is a name or a list of names");
  } else {
    // Keywords speak of one type each; what they say nothing of, nobody asked for.
    for (const auto& [keyword, type] : kTyped) {
      if (!schema.contains(std::string(keyword))) continue;
      if (std::ranges::find(types, type) == types.end()) types.emplace_back(type);
    }
    if (types.empty()) return text_.Value();
  }
  std::vector<ExprId> choices;
  for (const std::string& type : types) {
    // 'number' holds the integers.
    if (type == "integer" && std::ranges::find(types, "number") != types.end()) continue;
    SWITCHYARD_TRY(const ExprId choice, ReadType(schema, type, at));
    choices.push_back(choice);
  }
  return grammar_.Choice(choices);
}

Result<ExprId> SchemaReader::ReadReference(const Json& schema, const std::string& at) {
  if (!schema["$ref"].is_string()) return At(at, "'$ref' is a string");
  const Json beside = Without(schema, "$ref");
  const bool is_alone = std::ranges::all_of(
      beside.items(), [](const auto& item) { return IsAnnotation(item.key()); });
  const auto pointer = schema["$ref"].get<std::string>();
  const auto target = algebra_.Resolve(pointer);
  if (!target) return At(at, target.error().message);
  if (!is_alone) {
    SWITCHYARD_TRY(const Json merged, MergeOnce(**target, beside, at));
    return ReadSchema(merged, at);
  }
  if (const auto known = references_.find(pointer); known != references_.end()) {
    return grammar_.Rule(known->second);
  }
  // Known before it is read, since it may speak of itself.
  const std::string place = pointer.substr(0, kMostPlaceBytes);
  const RuleId rule = grammar_.AddRule(place);
  references_.emplace(pointer, rule);
  SWITCHYARD_TRY(const ExprId body, ReadSchema(**target, place));
  grammar_.Define(rule, body);
  return grammar_.Rule(rule);
}

Result<ExprId> SchemaReader::ReadConstants(const Json& schema, const std::string& at) {
  Json values = Json::array();
  if (schema.contains("const")) {
    values.push_back(schema["const"]);
  } else {
    values = schema["enum"];
  }
  if (!values.is_array()) return At(at, "'enum' is a list of values");
  if (schema.contains("const") && schema.contains("enum") &&
      std::ranges::find(schema["enum"], schema["const"]) == schema["enum"].end()) {
    return At(at, "'const' is none of 'enum'");
  }
  for (const auto& [keyword, type] : kTyped) {
    if (!schema.contains(std::string(keyword))) continue;
    return At(at, fmt::format("'{}' beside 'enum' or 'const' is not supported", keyword));
  }
  const std::vector<std::string> types = TypesOf(schema);
  std::vector<ExprId> choices;
  for (const Json& value : values) {
    const bool fits = !schema.contains("type") ||
                      std::ranges::any_of(types, [&](const auto& t) { return IsOfType(value, t); });
    if (fits) choices.push_back(text_.Constant(value));
  }
  if (choices.empty()) return At(at, "no value of 'enum' or 'const' is of the 'type'");
  return AsRule(at, grammar_.Choice(choices));
}

Json SchemaReader::Without(const Json& schema, const std::string& keyword) {
  Json rest = schema;
  rest.erase(keyword);
  return rest;
}

Result<Json> SchemaReader::MergeOnce(const Json& a, const Json& b, const std::string& at) {
  auto merged = algebra_.Merge(a, b);
  if (!merged) return At(at, merged.error().message);
  return merged;
}

Result<ExprId> SchemaReader::ReadAllOf(const Json& schema, const std::string& at) {
  const Json& parts = schema["allOf"];
  if (!parts.is_array() || parts.empty()) return At(at, "'allOf' is a list of schemas");
  Json merged = Without(schema, "allOf");
  for (const Json& part : parts) {
    SWITCHYARD_TRY(merged, MergeOnce(merged, part, at));
  }
  return ReadSchema(merged, at);
}

Result<ExprId> SchemaReader::ReadAlternatives(const Json& schema, const std::string& keyword,
                                              const std::string& at) {
  const Json& parts = schema[keyword];
  if (!parts.is_array() || parts.empty()) {
    return At(at, fmt::format("'{}' is a list of schemas", keyword));
  }
  if (keyword == "oneOf") {
    if (parts.size() > kMostAlternatives) {
      return At(at, fmt::format("'oneOf' has {} alternatives, and at most {} are compared",
                                parts.size(), kMostAlternatives));
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        const auto exclusive = algebra_.ExcludeEachOther(parts[i], parts[k]);
        if (!exclusive) return At(at, exclusive.error().message);
        if (*exclusive) continue;
        return At(at, fmt::format("a value could fit both alternatives {} and {} of 'oneOf': use "
                                  "'anyOf', or tell them apart by their type or by a required "
                                  "property with a 'const'",
                                  k, i));
      }
    }
  }
  const Json beside = Without(schema, keyword);
  const bool is_alone = std::ranges::all_of(
      beside.items(), [](const auto& item) { return IsAnnotation(item.key()); });
  std::vector<ExprId> choices;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string place = Child(Child(at, keyword), std::to_string(i));
    if (is_alone) {
      SWITCHYARD_TRY(const ExprId choice, ReadSchema(parts[i], place));
      choices.push_back(choice);
      continue;
    }
    SWITCHYARD_TRY(const Json merged, MergeOnce(beside, parts[i], place));
    SWITCHYARD_TRY(const ExprId choice, ReadSchema(merged, place));
    choices.push_back(choice);
  }
  return AsRule(at, grammar_.Choice(choices));
}

Result<ExprId> SchemaReader::ReadType(const Json& schema, const std::string& type,
                                      const std::string& at) {
  if (type == "object") return ReadObject(schema, at);
  if (type == "array") return ReadArray(schema, at);
  if (type == "string") return ReadString(schema, at);
  if (type == "integer") return ReadInteger(schema, at);
  if (type == "number") return ReadNumber(schema, at);
  if (type == "boolean") return text_.Boolean();
  return text_.Null();
}

Result<SchemaReader::Counts> SchemaReader::ReadCounts(const Json& schema,
                                                      const std::string& min_name,
                                                      const std::string& max_name,
                                                      const std::string& at) const {
  Counts counts;
  const auto read = [&](const std::string& name, std::uint32_t& count) -> Status {
    if (!schema.contains(name)) return {};
    const Json& value = schema[name];
    if (!IsOfType(value, "integer") || value < 0 || value > 1'000'000'000) {
      return At(at, fmt::format("'{}' is a whole number from 0 on", name));
    }
    count = static_cast<std::uint32_t>(value.get<double>());
    return {};
  };
  SWITCHYARD_RETURN_IF_ERROR(read(min_name, counts.min));
  SWITCHYARD_RETURN_IF_ERROR(read(max_name, counts.max));
  if (counts.min > counts.max) {
    return At(at, fmt::format("'{}' is above '{}'", min_name, max_name));
  }
  return counts;
}

Result<ExprId> SchemaReader::ReadString(const Json& schema, const std::string& at) {
  const bool is_counted = schema.contains("minLength") || schema.contains("maxLength");
  const bool has_pattern = schema.contains("pattern");
  const bool has_format = schema.contains("format");
  if (is_counted + has_pattern + has_format > 1) {
    return At(at, "of a length, a 'pattern' and a 'format', one at a time is supported");
  }
  if (is_counted) {
    SWITCHYARD_TRY(const Counts counts, ReadCounts(schema, "minLength", "maxLength", at));
    return AsRule(at, text_.Quoted(grammar_.Repeat(text_.Character(), counts.min, counts.max)));
  }
  if (!has_pattern && !has_format) return text_.String();
  const std::string keyword = has_pattern ? "pattern" : "format";
  if (!schema[keyword].is_string()) return At(at, fmt::format("'{}' is a string", keyword));
  const auto text = schema[keyword].get<std::string>();
  return has_format ? ReadFormat(text, at) : ReadPattern(text, at);
}

Result<ExprId> SchemaReader::ReadFormat(const std::string& format, const std::string& at) {
  if (const auto known = formats_.find(format); known != formats_.end()) {
    return grammar_.Rule(known->second);
  }
  const auto regex = FormatRegex(format);
  if (!regex) {
    return At(at, fmt::format("the format '{}' is not supported; those that are: {}", format,
                              FormatNames()));
  }
  SWITCHYARD_TRY(const ExprId content, AddRegex(grammar_, *regex, {.spelling = Spelling()}));
  const RuleId rule = grammar_.AddRule(format, text_.Quoted(content));
  formats_.emplace(format, rule);
  return grammar_.Rule(rule);
}

Result<ExprId> SchemaReader::ReadPattern(const std::string& pattern, const std::string& at) {
  pattern_bytes_ += pattern.size();
  if (pattern_bytes_ > kMostPatternBytes) {
    return At(at, fmt::format("patterns of more than {} bytes in all", kMostPatternBytes));
  }
  const std::string subject = fmt::format("the pattern at '{}'", at);
  SWITCHYARD_TRY(
      const ExprId content,
      AddRegex(grammar_, pattern, {.subject = subject, .anywhere = true, .spelling = Spelling()}));
  return AsRule(at, text_.Quoted(content));
}

Result<std::optional<double>> SchemaReader::ReadBound(const Json& schema, const std::string& name,
                                                      const std::string& at) const {
  if (!schema.contains(name)) return std::nullopt;
  if (!schema[name].is_number()) return At(at, fmt::format("'{}' is a number", name));
  const auto bound = schema[name].get<double>();
  if (std::abs(bound) <= kMostIntegerBound) return bound;
  return At(at, fmt::format("'{}' is beyond ±{:g}", name, kMostIntegerBound));
}

Result<ExprId> SchemaReader::ReadInteger(const Json& schema, const std::string& at) {
  SWITCHYARD_TRY(const auto minimum, ReadBound(schema, "minimum", at));
  SWITCHYARD_TRY(const auto above, ReadBound(schema, "exclusiveMinimum", at));
  SWITCHYARD_TRY(const auto maximum, ReadBound(schema, "maximum", at));
  SWITCHYARD_TRY(const auto below, ReadBound(schema, "exclusiveMaximum", at));
  if (!minimum && !above && !maximum && !below) return text_.Integer();
  std::optional<std::int64_t> min;
  std::optional<std::int64_t> max;
  if (minimum) min = static_cast<std::int64_t>(std::ceil(*minimum));
  if (maximum) max = static_cast<std::int64_t>(std::floor(*maximum));
  if (above) {
    const auto least = static_cast<std::int64_t>(std::floor(*above)) + 1;
    min = std::max(min.value_or(least), least);
  }
  if (below) {
    const auto most = static_cast<std::int64_t>(std::ceil(*below)) - 1;
    max = std::min(max.value_or(most), most);
  }
  if (min && max && *min > *max) return At(at, "no integer lies between the bounds");
  return AsRule(at, IntegerBetween(grammar_, min, max));
}

Result<ExprId> SchemaReader::ReadNumber(const Json& schema, const std::string& at) {
  std::optional<NumberBound> bounds[2];  // lowest, highest
  const auto narrow = [&](const std::string& name, bool is_low, bool is_excluded) -> Status {
    SWITCHYARD_TRY(const auto bound, ReadBound(schema, name, at));
    if (!bound) return {};
    if (std::floor(*bound) != *bound || std::abs(*bound) > double{kMostNumberBound}) {
      return At(at, fmt::format("'{}' of a number is supported where it is whole and within ±{}",
                                name, kMostNumberBound));
    }
    const NumberBound read{static_cast<std::int64_t>(*bound), is_excluded};
    auto& known = bounds[is_low ? 0 : 1];
    const bool is_tighter = !known ||
                            (is_low ? read.value > known->value : read.value < known->value) ||
                            (read.value == known->value && read.is_excluded);
    if (is_tighter) known = read;
    return {};
  };
  SWITCHYARD_RETURN_IF_ERROR(narrow("minimum", true, false));
  SWITCHYARD_RETURN_IF_ERROR(narrow("exclusiveMinimum", true, true));
  SWITCHYARD_RETURN_IF_ERROR(narrow("maximum", false, false));
  SWITCHYARD_RETURN_IF_ERROR(narrow("exclusiveMaximum", false, true));
  const auto& [low, high] = bounds;
  if (!low && !high) return text_.Number();
  if (low && high &&
      (low->value > high->value ||
       (low->value == high->value && (low->is_excluded || high->is_excluded)))) {
    return At(at, "no number lies between the bounds");
  }
  return AsRule(at, NumberBetween(grammar_, low, high));
}

Result<ExprId> SchemaReader::ReadArray(const Json& schema, const std::string& at) {
  SWITCHYARD_TRY(const Counts counts, ReadCounts(schema, "minItems", "maxItems", at));
  std::vector<ExprId> first;
  if (schema.contains("prefixItems")) {
    const Json& items = schema["prefixItems"];
    if (!items.is_array()) return At(at, "'prefixItems' is a list of schemas");
    for (std::size_t i = 0; i < items.size(); ++i) {
      const std::string place = Child(Child(at, "prefixItems"), std::to_string(i));
      SWITCHYARD_TRY(const ExprId item, ReadSchema(items[i], place));
      first.push_back(AsRule(place, item));
    }
  }
  std::optional<ExprId> rest;
  if (schema.contains("items")) {
    if (schema["items"].is_array()) return At(at, "'items' as a list is 'prefixItems' now");
    if (schema["items"] != false) {
      SWITCHYARD_TRY(const ExprId item, ReadSchema(schema["items"], Child(at, "items")));
      rest = AsRule(Child(at, "items"), item);
    }
  } else if (first.empty() || counts.min > first.size()) {
    rest = text_.Value();
  }
  if (!rest && counts.min > first.size()) return At(at, "'minItems' is above what may come");
  return AsRule(at, text_.Array(first, rest, counts.min, counts.max));
}

Result<ExprId> SchemaReader::ReadObject(const Json& schema, const std::string& at) {
  static const Json kNoProperties = Json::object();
  const Json& properties = schema.contains("properties") ? schema["properties"] : kNoProperties;
  if (!properties.is_object()) return At(at, "'properties' is an object of schemas");
  std::vector<std::string> required;
  if (schema.contains("required")) {
    const Json& names = schema["required"];
    const bool are_names = names.is_array() && std::ranges::all_of(names, [](const Json& name) {
                             return name.is_string();
                           });
    if (!are_names) return At(at, "'required' is a list of names");
    required = names.get<std::vector<std::string>>();
    std::set<std::string_view> known;
    for (auto member = properties.begin(); member != properties.end(); ++member) {
      known.insert(member.key());
    }
    const auto unknown = std::ranges::find_if(
        required, [&](const std::string& name) { return !known.contains(name); });
    if (unknown != required.end()) {
      return At(at,
                fmt::format("'required' names '{}', which 'properties' does not have", *unknown));
    }
    std::ranges::sort(required);
  }
  std::vector<ExprId> members;
  std::vector<bool> is_required;
  std::vector<std::string> names;
  for (const auto& [name, property] : properties.items()) {
    const std::string place = Child(Child(at, "properties"), name);
    SWITCHYARD_TRY(const ExprId value, ReadSchema(property, place));
    members.push_back(AsRule(place, text_.Member(text_.Constant(name), value)));
    is_required.push_back(std::ranges::binary_search(required, name));
    names.push_back(name);
  }
  std::optional<ExprId> more;
  const bool is_open = schema.contains("additionalProperties")
                           ? schema["additionalProperties"] != false
                           : !schema.contains("properties");
  if (is_open) {
    ExprId value = text_.Value();
    if (schema.contains("additionalProperties")) {
      SWITCHYARD_TRY(value,
                     ReadSchema(schema["additionalProperties"], Child(at, "additionalProperties")));
    }
    const ExprId key = names.empty() ? text_.String() : text_.KeyOtherThan(names);
    more = AsRule(Child(at, "additionalProperties"), text_.Member(key, value));
  }
  return AsRule(at, text_.Braces(InOrder(members, is_required, more)));
}

ExprId SchemaReader::InOrder(const std::vector<ExprId>& members, const std::vector<bool>& required,
                             std::optional<ExprId> more) {
  // From the last member to the first: what may follow where some member stands already.
  ExprId behind = grammar_.Empty();
  ExprId none_of_them = grammar_.Empty();
  if (more) {
    behind = grammar_.Repeat(grammar_.Sequence({text_.Separator(), *more}), 0);
    none_of_them = grammar_.Optional(grammar_.Sequence({*more, behind}));
  }
  std::vector<ExprId> begun(members.size());  // by the member that comes first
  for (std::size_t i = members.size(); i-- > 0;) {
    // A rule, since two places lead to it.
    const ExprId next = AsRule("members", behind);
    begun[i] = grammar_.Sequence({members[i], next});
    const ExprId one_more = grammar_.Sequence({text_.Separator(), members[i]});
    behind = grammar_.Sequence({required[i] ? one_more : grammar_.Optional(one_more), next});
  }
  // What comes first is one of those up to the first that must come.
  const auto first_required = std::ranges::find(required, true) - required.begin();
  if (first_required == std::ssize(required)) {
    begun.push_back(none_of_them);
  } else {
    begun.resize(static_cast<std::size_t>(first_required) + 1);
  }
  return grammar_.Choice(begun);
}

}  // namespace switchyard::grammar::internal
