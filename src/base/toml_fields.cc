#include "base/toml_fields.h"

#include <algorithm>
#include <cmath>

namespace switchyard::base {

const toml::node* TomlFields::Find(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

std::unexpected<Error> TomlFields::Wrong(const toml::node& node, std::string_view what) const {
  return Fail(ErrorCode::kInvalidArgument, "{}:{}: {}: {}", file_, node.source().begin.line,
              subject_, what);
}

void TomlFields::Refuse(std::string_view key, std::string_view what) {
  if (!status_) return;
  const toml::node* node = table_.get(key);
  status_ = Wrong(node == nullptr ? static_cast<const toml::node&>(table_) : *node,
                  fmt::format("'{}' {}", key, what));
}

void TomlFields::Refuse(std::string_view what) {
  if (status_) status_ = Wrong(table_, what);
}

void TomlFields::Text(std::string_view key, std::string& value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  if (!node->is_string()) return Refuse(key, "must be a text in quotes");
  value = *node->value<std::string>();
}

void TomlFields::Texts(std::string_view key, std::vector<std::string>& values) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  values.clear();
  if (node->is_string()) {
    values.push_back(*node->value<std::string>());
    return;
  }
  const toml::array* list = node->as_array();
  if (list == nullptr) return Refuse(key, "must be a text in quotes, or a list of them in []");
  for (const toml::node& element : *list) {
    if (!element.is_string()) return Refuse(key, "must hold texts in quotes only");
    values.push_back(*element.value<std::string>());
  }
}

void TomlFields::Flag(std::string_view key, bool& value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  if (!node->is_boolean()) return Refuse(key, "must be true or false");
  value = *node->value<bool>();
}

void TomlFields::Day(std::string_view key, std::chrono::year_month_day& value) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto date = node->value_exact<toml::date>();
  if (!date) return Refuse(key, "must be a day such as 2025-01-15, without quotes");
  value = std::chrono::year_month_day(std::chrono::year(date->year),
                                      std::chrono::month(date->month), std::chrono::day(date->day));
}

void TomlFields::Whole(std::string_view key, std::int64_t& value, std::int64_t low,
                       std::int64_t high) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto number = node->value_exact<std::int64_t>();
  if (!number || *number < low || *number > high) {
    return Refuse(key, fmt::format("must be a whole number from {} to {}", low, high));
  }
  value = *number;
}

void TomlFields::Number(std::string_view key, double& value, double low, double high) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const auto number = node->is_number() ? node->value<double>() : std::nullopt;
  if (!number || !std::isfinite(*number) || *number < low || *number > high) {
    return Refuse(key, fmt::format("must be a number from {:g} to {:g}", low, high));
  }
  value = *number;
}

void TomlFields::Seconds(std::string_view key, std::chrono::milliseconds& value, double low,
                         double high) {
  double seconds = static_cast<double>(value.count()) / 1000;
  Number(key, seconds, low, high);
  value = std::chrono::milliseconds(std::llround(seconds * 1000));
}

void TomlFields::Word(std::string_view key, std::initializer_list<std::string_view> words,
                      std::size_t& value) {
  std::string word;
  Text(key, word);
  if (word.empty() && !Has(key)) return;
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) {
    return Refuse(key, fmt::format("must be one of {}, not '{}'", fmt::join(words, ", "), word));
  }
  value = static_cast<std::size_t>(found - words.begin());
}

void TomlFields::Table(std::string_view key, const Reader& read) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const toml::table* table = node->as_table();
  if (table == nullptr) return Refuse(key, fmt::format("must be a table, [{}]", key));
  TomlFields fields(*table, file_, fmt::format("[{}]", key));
  if (auto status = read(fields); !status && status_) status_ = std::move(status);
}

void TomlFields::Tables(std::string_view key, const Reader& read) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  if (list == nullptr) return Refuse(key, fmt::format("must be tables, [[{}]]", key));
  for (const toml::node& element : *list) {
    const toml::table* table = element.as_table();
    if (table == nullptr) return Refuse(key, fmt::format("must be tables, [[{}]]", key));
    TomlFields fields(*table, file_, fmt::format("[[{}]]", key));
    if (auto status = read(fields); !status && status_) status_ = std::move(status);
  }
}

void TomlFields::Pairs(std::string_view key,
                       const std::function<Status(std::string_view, const toml::node&)>& read) {
  const toml::node* node = Find(key);
  if (node == nullptr) return;
  const toml::table* table = node->as_table();
  if (table == nullptr) return Refuse(key, fmt::format("must be a table, [{}]", key));
  for (const auto& [name, value] : *table) {
    if (auto status = read(name.str(), value); !status && status_) status_ = std::move(status);
  }
}

Status TomlFields::Done() {
  if (!status_) return status_;
  for (const auto& [key, node] : table_) {
    if (std::ranges::find(known_, key.str()) != known_.end()) continue;
    return Wrong(node, fmt::format("there is no '{}' here; there is {}", key.str(),
                                   fmt::join(known_, ", ")));
  }
  return {};
}

}  // namespace switchyard::base
