#include "cli/model_registry.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/text_file.h"
#include "base/toml_text.h"
#include "cli/model_reference.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

constexpr std::size_t kMaxRegistryBytes = std::size_t{1} << 20;

// One entry's table, with the words to complain about it.
struct RegistryEntry {
  const toml::table& table;
  std::string where;  // "models.toml: [smollm2]"

  Result<std::string> Text(std::string_view key) const {
    const toml::node* node = table.get(key);
    if (node == nullptr) return std::string();
    const auto text = node->value_exact<std::string>();
    if (!text) {
      return Fail(ErrorCode::kInvalidArgument, "{}: '{}' must be a text in quotes", where, key);
    }
    return *text;
  }
};

Status CheckKeys(const RegistryEntry& entry) {
  static constexpr std::array<std::string_view, 13> kKeys = {
      "description", "licence", "hf",      "hf_revision", "ms",     "ms_revision", "file",
      "sha256",      "size",    "package", "version",     "member", "wheel_sha256"};
  for (const auto& [key, value] : entry.table) {
    if (std::find(kKeys.begin(), kKeys.end(), key.str()) == kKeys.end()) {
      return Fail(ErrorCode::kInvalidArgument, "{}: '{}' is not a known key; known are {}",
                  entry.where, key.str(), fmt::join(kKeys, ", "));
    }
  }
  return {};
}

Result<std::string> Digest(const RegistryEntry& entry, std::string_view key) {
  SWITCHYARD_TRY(std::string digest, entry.Text(key));
  if (!digest.empty() &&
      (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    return Fail(ErrorCode::kInvalidArgument,
                "{}: '{}' must be a sha256 in 64 lower-case hexadecimal digits", entry.where, key);
  }
  return digest;
}

Result<std::optional<HubSource>> ParseHubSource(const RegistryEntry& entry, std::string_view key,
                                                std::string_view revision_key) {
  HubSource source;
  SWITCHYARD_TRY(source.repository, entry.Text(key));
  SWITCHYARD_TRY(source.revision, entry.Text(revision_key));
  if (source.repository.empty()) return std::optional<HubSource>();
  if (!IsRepositoryName(source.repository)) {
    return Fail(ErrorCode::kInvalidArgument, "{}: '{}' must be ORGANISATION/REPOSITORY, not '{}'",
                entry.where, key, source.repository);
  }
  return std::optional(std::move(source));
}

Result<std::optional<PackageSource>> ParsePackage(const RegistryEntry& entry) {
  PackageSource source;
  SWITCHYARD_TRY(source.package, entry.Text("package"));
  SWITCHYARD_TRY(source.version, entry.Text("version"));
  SWITCHYARD_TRY(source.member, entry.Text("member"));
  SWITCHYARD_TRY(source.wheel_sha256, Digest(entry, "wheel_sha256"));
  if (source.package.empty()) return std::optional<PackageSource>();
  if (!IsRepositoryName(source.package + "/" + source.version) ||
      !IsSafeRelativePath(source.member)) {
    return Fail(ErrorCode::kInvalidArgument,
                "{}: a package needs 'version', and 'member', a path inside its wheel",
                entry.where);
  }
  return std::optional(std::move(source));
}

Result<RegisteredModel> ParseModel(const std::string& name, const RegistryEntry& entry) {
  SWITCHYARD_RETURN_IF_ERROR(CheckKeys(entry));
  RegisteredModel model;
  model.name = name;
  SWITCHYARD_TRY(model.description, entry.Text("description"));
  SWITCHYARD_TRY(model.licence, entry.Text("licence"));
  SWITCHYARD_TRY(model.file, entry.Text("file"));
  SWITCHYARD_TRY(model.sha256, Digest(entry, "sha256"));
  SWITCHYARD_TRY(model.package, ParsePackage(entry));
  SWITCHYARD_TRY(model.hf, ParseHubSource(entry, "hf", "hf_revision"));
  SWITCHYARD_TRY(model.ms, ParseHubSource(entry, "ms", "ms_revision"));
  if (const toml::node* size = entry.table.get("size")) {
    const auto bytes = size->value_exact<std::int64_t>();
    if (!bytes || *bytes <= 0) {
      return Fail(ErrorCode::kInvalidArgument, "{}: 'size' must be a number of bytes", entry.where);
    }
    model.size_bytes = static_cast<std::uint64_t>(*bytes);
  }
  if (!model.file.empty() && !IsSafeRelativePath(model.file)) {
    return Fail(ErrorCode::kInvalidArgument, "{}: 'file' must be a path inside the repository",
                entry.where);
  }
  if (!model.package && !model.hf && !model.ms) {
    return Fail(ErrorCode::kInvalidArgument, "{}: there is no source; give 'hf', 'ms' or 'package'",
                entry.where);
  }
  if (model.package && (model.sha256.empty() || !model.size_bytes)) {
    return Fail(ErrorCode::kInvalidArgument, "{}: a package needs 'sha256' and 'size' too",
                entry.where);
  }
  return model;
}

Result<std::string> ReadText(const std::filesystem::path& path) {
  auto text = base::ReadTextFile(path, kMaxRegistryBytes + 1);
  if (!text || text->size() > kMaxRegistryBytes) {
    return Fail(ErrorCode::kInvalidArgument, "cannot read '{}', or it is longer than {} bytes",
                path.string(), kMaxRegistryBytes);
  }
  return *std::move(text);
}

}  // namespace

Result<ModelRegistry> ModelRegistry::Parse(std::string_view toml_text, std::string_view subject) {
  SWITCHYARD_TRY(const toml::table parsed, base::ParseToml(toml_text, subject));
  struct Placed {
    toml::source_position position;
    RegisteredModel model;
  };
  std::vector<Placed> placed;
  for (const auto& [key, node] : parsed) {
    const std::string name(key.str());
    const toml::table* table = node.as_table();
    if (table == nullptr || !IsRepositoryName("registry/" + name)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "{}: '{}' must be a table such as [my-model], named in letters, digits, '.', '_' "
                  "and '-'",
                  subject, name);
    }
    SWITCHYARD_TRY(RegisteredModel model,
                   ParseModel(name, {*table, fmt::format("{}: [{}]", subject, name)}));
    placed.push_back({table->source().begin, std::move(model)});
  }
  // The parser sorts by name; people read the file's own order.
  std::sort(placed.begin(), placed.end(),
            [](const Placed& a, const Placed& b) { return a.position < b.position; });
  ModelRegistry registry;
  for (Placed& entry : placed) registry.models_.push_back(std::move(entry.model));
  return registry;
}

Result<ModelRegistry> ModelRegistry::Load(const std::filesystem::path& own_file) {
  SWITCHYARD_TRY(ModelRegistry registry, Parse(kBuiltInRegistry, "the built-in models.toml"));
  std::error_code error;
  if (own_file.empty() || !std::filesystem::exists(own_file, error)) return registry;
  SWITCHYARD_TRY(const std::string text, ReadText(own_file));
  SWITCHYARD_TRY(ModelRegistry own, Parse(text, own_file.string()));
  for (RegisteredModel& model : own.models_) {
    const auto same =
        std::find_if(registry.models_.begin(), registry.models_.end(),
                     [&](const RegisteredModel& other) { return other.name == model.name; });
    if (same != registry.models_.end()) {
      *same = std::move(model);
    } else {
      registry.models_.push_back(std::move(model));
    }
  }
  return registry;
}

const RegisteredModel* ModelRegistry::Find(std::string_view name) const {
  for (const RegisteredModel& model : models_) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

}  // namespace switchyard::cli
