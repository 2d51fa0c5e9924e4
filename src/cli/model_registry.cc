#include "cli/model_registry.h"

#include <algorithm>
#include <limits>

#include "base/text_file.h"
#include "base/toml_fields.h"
#include "base/toml_text.h"
#include "cli/model_reference.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::TomlFields;

constexpr std::size_t kMaxRegistryBytes = std::size_t{1} << 20;

void Digest(TomlFields& fields, std::string_view key, std::string& digest) {
  fields.Text(key, digest);
  if (!digest.empty() &&
      (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos)) {
    fields.Refuse(key, "must be a sha256 in 64 lower-case hexadecimal digits");
  }
}

void ReadHubSource(TomlFields& fields, std::string_view key, std::string_view revision_key,
                   std::optional<HubSource>& source) {
  HubSource read;
  fields.Text(key, read.repository);
  fields.Text(revision_key, read.revision);
  if (read.repository.empty()) return;
  if (!IsRepositoryName(read.repository)) {
    fields.Refuse(key, fmt::format("must be ORGANISATION/REPOSITORY, not '{}'", read.repository));
  }
  source = std::move(read);
}

void ReadPackage(TomlFields& fields, std::optional<PackageSource>& source) {
  PackageSource read;
  fields.Text("package", read.package);
  fields.Text("version", read.version);
  fields.Text("member", read.member);
  Digest(fields, "wheel_sha256", read.wheel_sha256);
  if (read.package.empty()) return;
  if (!IsRepositoryName(read.package + "/" + read.version) || !IsSafeRelativePath(read.member)) {
    fields.Refuse("package", "needs 'version', and 'member', a path inside its wheel");
  }
  source = std::move(read);
}

Result<RegisteredModel> ReadModel(std::string name, TomlFields& fields) {
  RegisteredModel model;
  model.name = std::move(name);
  fields.Text("description", model.description);
  fields.Text("licence", model.licence);
  fields.Text("file", model.file);
  Digest(fields, "sha256", model.sha256);
  if (fields.Has("size")) {
    std::int64_t bytes = 0;
    fields.Whole("size", bytes, 1, std::numeric_limits<std::int64_t>::max());
    model.size_bytes = static_cast<std::uint64_t>(bytes);
  }
  ReadPackage(fields, model.package);
  ReadHubSource(fields, "hf", "hf_revision", model.hf);
  ReadHubSource(fields, "ms", "ms_revision", model.ms);
  if (!model.file.empty() && !IsSafeRelativePath(model.file)) {
    fields.Refuse("file", "must be a path inside the repository");
  }
  if (!model.package && !model.hf && !model.ms) {
    fields.Refuse("there is no source; give 'hf', 'ms' or 'package'");
  }
  if (model.package && (model.sha256.empty() || !model.size_bytes)) {
    fields.Refuse("package", "needs 'sha256' and 'size' too");
  }
  SWITCHYARD_RETURN_IF_ERROR(fields.Done());
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
    TomlFields fields(*table, std::string(subject), fmt::format("[{}]", name));
    SWITCHYARD_TRY(RegisteredModel model, ReadModel(name, fields));
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
