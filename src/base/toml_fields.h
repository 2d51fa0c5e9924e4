// The keys of one TOML table, read one after another: the first thing that is wrong is kept, with
// its line, and a key that nobody asked for is wrong too.
#pragma once

#include <toml++/toml.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace switchyard::base {

class TomlFields {
 public:
  // `file` and `subject` ("[timeouts]", "the member 'a'") are for complaints.
  TomlFields(const toml::table& table, std::string file, std::string subject)
      : table_(table), file_(std::move(file)), subject_(std::move(subject)) {}

  void Name(std::string subject) { subject_ = std::move(subject); }
  bool IsEmpty() const { return table_.empty(); }
  bool Has(std::string_view key) const { return table_.contains(key); }

  // Each leaves the value alone where the key is missing.
  void Text(std::string_view key, std::string& value);
  void Texts(std::string_view key, std::vector<std::string>& values);  // or a single one
  void Flag(std::string_view key, bool& value);
  void Day(std::string_view key, std::chrono::year_month_day& value);
  void Whole(std::string_view key, std::int64_t& value, std::int64_t low, std::int64_t high);
  void Number(std::string_view key, double& value, double low, double high);
  // In seconds, with a fraction perhaps.
  void Seconds(std::string_view key, std::chrono::milliseconds& value, double low, double high);
  // One of the words; `value` becomes its index.
  void Word(std::string_view key, std::initializer_list<std::string_view> words,
            std::size_t& value);
  // The table or tables of that key. What `read` returns is kept if it is an error.
  using Reader = std::function<Status(TomlFields&)>;
  void Table(std::string_view key, const Reader& read);
  void Tables(std::string_view key, const Reader& read);  // [[key]]
  // Each pair of a table whose keys are names.
  void Pairs(std::string_view key,
             const std::function<Status(std::string_view, const toml::node&)>& read);

  // Something is wrong with the key's value, or, if it is not there, with the table.
  void Refuse(std::string_view key, std::string_view what);
  // With the table as a whole.
  void Refuse(std::string_view what);
  std::unexpected<Error> Wrong(const toml::node& node, std::string_view what) const;

  // The first thing that was wrong, unknown keys included.
  Status Done();

 private:
  const toml::node* Find(std::string_view key);

  const toml::table& table_;
  std::string file_;
  std::string subject_;
  std::vector<std::string> known_;
  Status status_;
};

}  // namespace switchyard::base
