#include "cli/cached_model.h"

#include <sys/stat.h>

#include <utility>

#include "base/json.h"
#include "base/sha256.h"
#include "base/text_file.h"
#include "cli/model_reference.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::Json;

constexpr std::size_t kMaxRecordBytes = std::size_t{4} << 20;

template <typename T>
bool Take(const Json& object, const char* key, T& target) {
  const auto found = object.find(key);
  if (found == object.end()) return false;
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return false;
  } else {
    if (!found->is_number_integer()) return false;
  }
  target = found->get<T>();
  return true;
}

}  // namespace

const CachedFile* CachedModel::Find(const std::string& path) const {
  for (const CachedFile& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::optional<CachedModel> ReadCachedModel(const fs::path& record) {
  const auto text = base::ReadTextFile(record, kMaxRecordBytes);
  if (!text) return std::nullopt;
  const auto json = base::ParseJson(*text, record.string());
  if (!json || !json->is_object()) return std::nullopt;
  CachedModel model;
  const auto files = json->find("files");
  if (!Take(*json, "entry", model.entry) || !IsSafeRelativePath(model.entry) ||
      files == json->end() || !files->is_array() || files->empty()) {
    return std::nullopt;
  }
  for (const Json& object : *files) {
    CachedFile file;
    if (!object.is_object() || !Take(object, "path", file.path) ||
        !Take(object, "size_bytes", file.size_bytes) ||
        !Take(object, "modified_ns", file.modified_ns) || !Take(object, "sha256", file.sha256) ||
        !Take(object, "version", file.version) || !IsSafeRelativePath(file.path)) {
      return std::nullopt;
    }
    model.files.push_back(std::move(file));
  }
  return model;
}

base::Status WriteCachedModel(const fs::path& record, const CachedModel& model) {
  Json files = Json::array();
  for (const CachedFile& file : model.files) {
    files.push_back({{"path", file.path},
                     {"size_bytes", file.size_bytes},
                     {"modified_ns", file.modified_ns},
                     {"sha256", file.sha256},
                     {"version", file.version}});
  }
  const Json json = {{"entry", model.entry}, {"files", std::move(files)}};
  std::error_code error;
  fs::create_directories(record.parent_path(), error);
  return base::WriteTextFile(record,
                             json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::optional<CachedFile> StatFile(const fs::path& cache_folder, const std::string& path) {
  struct stat status{};
  if (::stat((cache_folder / path).c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return std::nullopt;
  }
  CachedFile file;
  file.path = path;
  file.size_bytes = static_cast<std::uint64_t>(status.st_size);
  file.modified_ns = std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return file;
}

FileState CheckCachedFile(const fs::path& cache_folder, const CachedFile& file) {
  const auto now = StatFile(cache_folder, file.path);
  if (!now || now->size_bytes != file.size_bytes) return FileState::kChanged;
  if (now->modified_ns == file.modified_ns) return FileState::kUntouched;
  const auto sha256 = base::Sha256OfFile(cache_folder / file.path);
  return sha256 && *sha256 == file.sha256 ? FileState::kSameBytes : FileState::kChanged;
}

}  // namespace switchyard::cli
