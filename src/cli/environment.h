// The process's environment, read once at its start. Only cli/ knows it; everything below is handed
// options. Immutable, so any thread may read.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace switchyard::cli {

class Environment {
 public:
  static Environment OfThisProcess();
  explicit Environment(std::map<std::string, std::string, std::less<>> variables)
      : variables_(std::move(variables)) {}

  // A variable that is set to nothing counts as unset.
  std::optional<std::string> Get(std::string_view name) const;
  std::string GetOr(std::string_view name, std::string_view otherwise) const;

  // $HOME; the current folder where that is unset.
  std::filesystem::path Home() const;
  // $XDG_CONFIG_HOME or ~/.config. A relative value is ignored, as the XDG specification asks.
  std::filesystem::path ConfigFolder() const;
  // $XDG_CACHE_HOME or ~/.cache, likewise.
  std::filesystem::path CacheFolder() const;

 private:
  std::filesystem::path XdgFolder(std::string_view variable, std::string_view below_home) const;

  std::map<std::string, std::string, std::less<>> variables_;
};

}  // namespace switchyard::cli
