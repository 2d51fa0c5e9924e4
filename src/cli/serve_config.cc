#include "cli/serve_config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>
#include <vector>

#include "base/text_file.h"
#include "base/toml_text.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

enum class Kind { kFlag, kWholeNumber, kNumber, kText, kTexts };

Kind KindOf(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return Kind::kFlag;
  const std::string type = option.get_type_name();
  if (type.starts_with("INT") || type.starts_with("UINT")) return Kind::kWholeNumber;
  if (type.starts_with("FLOAT")) return Kind::kNumber;
  const bool is_repeated = option.get_expected_max() > 1 ||
                           option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
  return is_repeated ? Kind::kTexts : Kind::kText;
}

std::string_view Wanted(Kind kind) {
  switch (kind) {
    case Kind::kFlag:
      return "true or false";
    case Kind::kWholeNumber:
      return "a whole number";
    case Kind::kNumber:
      return "a number";
    case Kind::kText:
      return "a text in quotes";
    case Kind::kTexts:
      return "a text in quotes, or a list of them in []";
  }
  return "";
}

// "--max-running" is max-running, and MODEL is model; empty: no key.
std::string KeyOf(const CLI::Option& option) {
  std::string key = option.get_lnames().empty() ? option.get_name(true) : option.get_lnames()[0];
  std::ranges::transform(key, key.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const bool is_key = key != "help" && key != kConfigOption && key != kPrintConfigOption;
  return is_key ? key : "";
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

// One key of the file with its place, for complaints.
struct ConfigEntry {
  std::string file;
  std::string key;
  const toml::node& node;

  template <typename... Args>
  std::unexpected<base::Error> Refuse(fmt::format_string<Args...> format, Args&&... args) const {
    return Fail(ErrorCode::kInvalidArgument, "{}:{}: {}", file, node.source().begin.line,
                fmt::format(format, std::forward<Args>(args)...));
  }
};

base::Result<CLI::Option*> FindOption(const ConfigEntry& entry, CLI::App& command) {
  std::string wanted = entry.key;
  std::ranges::replace(wanted, '_', '-');
  std::string nearest;
  std::size_t distance = 3;  // more is no slip of a finger
  for (CLI::Option* option : command.get_options()) {
    const std::string key = KeyOf(*option);
    if (key.empty()) continue;
    if (key == wanted) return option;
    const std::size_t this_far = EditDistance(key, wanted);
    if (this_far >= distance) continue;
    distance = this_far;
    nearest = key;
  }
  if (!nearest.empty()) {
    return entry.Refuse("there is no option '{}'; did you mean '{}'?", entry.key, nearest);
  }
  return entry.Refuse("there is no option '{}'; 'switchyard {} --help' lists them all", entry.key,
                      command.get_name());
}

std::optional<std::string> TextOf(const toml::node& node, Kind kind) {
  if (kind == Kind::kFlag && node.is_boolean()) return *node.value<bool>() ? "true" : "false";
  if (kind == Kind::kWholeNumber && node.is_integer()) {
    return std::to_string(*node.value<std::int64_t>());
  }
  if (kind == Kind::kNumber && node.is_number()) return fmt::format("{}", *node.value<double>());
  if ((kind == Kind::kText || kind == Kind::kTexts) && node.is_string()) {
    return node.value<std::string>();
  }
  return std::nullopt;
}

base::Result<std::vector<std::string>> TextsOf(const ConfigEntry& entry, Kind kind) {
  std::vector<std::string> texts;
  const toml::array* const list = kind == Kind::kTexts ? entry.node.as_array() : nullptr;
  if (list == nullptr) {
    auto text = TextOf(entry.node, kind);
    if (!text) return entry.Refuse("'{}' must be {}", entry.key, Wanted(kind));
    texts.push_back(std::move(*text));
    return texts;
  }
  for (const toml::node& element : *list) {
    auto text = TextOf(element, kind);
    if (!text) return entry.Refuse("'{}' must be {}", entry.key, Wanted(kind));
    texts.push_back(std::move(*text));
  }
  return texts;
}

base::Status Apply(const ConfigEntry& entry, CLI::App& command, std::vector<std::string>& seen) {
  SWITCHYARD_TRY(CLI::Option* const option, FindOption(entry, command));
  if (std::ranges::find(seen, KeyOf(*option)) != seen.end()) {
    return entry.Refuse("'{}' is said twice, with '-' and with '_'; keep one", entry.key);
  }
  seen.push_back(KeyOf(*option));
  SWITCHYARD_TRY(const auto texts, TextsOf(entry, KindOf(*option)));
  const bool is_said = !option->empty();  // on the command line
  if (is_said || texts.empty()) return {};
  try {
    option->add_result(texts);
    option->run_callback();
  } catch (const CLI::Error& error) {
    return entry.Refuse("'{}' cannot be {}: {}", entry.key, fmt::join(texts, ", "), error.what());
  }
  return {};
}

std::string ExampleValue(const CLI::Option& option) {
  const std::string usual = option.get_default_str();
  switch (KindOf(option)) {
    case Kind::kFlag:
      return "false";
    case Kind::kTexts:
      return "[]";
    case Kind::kText:
      return fmt::format("\"{}\"", usual);
    default:
      return usual.empty() ? "0" : usual;
  }
}

}  // namespace

base::Status ApplyConfig(std::string_view text, const std::string& file, CLI::App& command) {
  SWITCHYARD_TRY(const toml::table table, base::ParseToml(text, file));
  std::vector<std::string> seen;
  for (const auto& [key, node] : table) {
    const ConfigEntry entry{file, std::string(key.str()), node};
    if (node.is_table()) {
      return entry.Refuse("[{}] is a table; all options stand at the top, without tables",
                          entry.key);
    }
    SWITCHYARD_RETURN_IF_ERROR(Apply(entry, command, seen));
  }
  return {};
}

base::Status ApplyConfigFile(const std::string& path, CLI::App& command) {
  const auto text = base::ReadTextFile(path);
  if (!text || text->empty()) {
    return Fail(ErrorCode::kNotFound,
                "cannot read the configuration '{}': check its name and who may read it; "
                "'switchyard {} --{}' prints one to begin with",
                path, command.get_name(), kPrintConfigOption);
  }
  return ApplyConfig(*text, path, command);
}

std::string ExampleConfig(const CLI::App& command) {
  std::string text = fmt::format(
      "# Configuration of `switchyard {0}`, read with `switchyard {0} --{1} FILE`.\n"
      "# Each line below shows a default; take its '#' away to change it. What the command line\n"
      "# says wins.\n",
      command.get_name(), kConfigOption);
  std::string group;
  for (const CLI::Option* option : command.get_options()) {
    const std::string key = KeyOf(*option);
    if (key.empty()) continue;
    if (option->get_group() != group) {
      group = option->get_group();
      text += fmt::format("\n## {}\n", group);
    }
    text += fmt::format("# {}\n#{} = {}\n", option->get_description(), key, ExampleValue(*option));
  }
  return text;
}

}  // namespace switchyard::cli
