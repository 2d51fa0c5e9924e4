#include "cli/environment.h"

#include <unistd.h>

namespace switchyard::cli {

namespace fs = std::filesystem;

Environment Environment::OfThisProcess() {
  std::map<std::string, std::string, std::less<>> variables;
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return Environment(std::move(variables));
}

std::optional<std::string> Environment::Get(std::string_view name) const {
  const auto found = variables_.find(name);
  if (found == variables_.end() || found->second.empty()) return std::nullopt;
  return found->second;
}

std::string Environment::GetOr(std::string_view name, std::string_view otherwise) const {
  return Get(name).value_or(std::string(otherwise));
}

fs::path Environment::Home() const { return GetOr("HOME", "."); }

fs::path Environment::ConfigFolder() const { return XdgFolder("XDG_CONFIG_HOME", ".config"); }

fs::path Environment::CacheFolder() const { return XdgFolder("XDG_CACHE_HOME", ".cache"); }

fs::path Environment::XdgFolder(std::string_view variable, std::string_view below_home) const {
  const fs::path folder = GetOr(variable, "");
  return folder.is_absolute() ? folder : Home() / below_home;
}

}  // namespace switchyard::cli
