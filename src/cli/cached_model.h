// What is remembered of a model in the cache: its files, with the sha256 that each had when it was
// verified and the time stamp of then, so that an untouched file need not be read again. One small
// JSON file for each model that was asked for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace switchyard::cli {

struct CachedFile {
  std::string path;  // relative to the cache folder
  std::uint64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  std::string sha256;
  std::string version;  // as the hub named it
};

struct CachedModel {
  std::string entry;  // the file or folder to load, relative to the cache folder
  std::vector<CachedFile> files;

  // Null when unknown.
  const CachedFile* Find(const std::string& path) const;
};

// Absent, unreadable and damaged records are all nothing.
std::optional<CachedModel> ReadCachedModel(const std::filesystem::path& record);
base::Status WriteCachedModel(const std::filesystem::path& record, const CachedModel& model);

// Size and time of the file as it is now; nothing when it is not a regular file.
std::optional<CachedFile> StatFile(const std::filesystem::path& cache_folder,
                                   const std::string& path);

enum class FileState { kUntouched, kSameBytes, kChanged };
// Reads the file only where its time stamp differs.
FileState CheckCachedFile(const std::filesystem::path& cache_folder, const CachedFile& file);

}  // namespace switchyard::cli
