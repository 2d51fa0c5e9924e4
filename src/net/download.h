// Large files over HTTP: into NAME.partial, resumed after interruptions of the connection or of the
// program, checked, and renamed to NAME only when whole. NAME.partial.json remembers what the
// server said of the file, so that one that changed meanwhile is started anew. A lock keeps two
// processes from writing the same file. Blocks; any thread may call it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/error.h"
#include "net/http_options.h"

namespace switchyard::net {

struct DownloadProgress {
  std::uint64_t received_bytes = 0;  // including what an earlier attempt left
  std::optional<std::uint64_t> total_bytes;
};

struct DownloadRequest {
  std::string url;
  std::filesystem::path destination;  // its folder is made when missing
  std::uint64_t max_bytes = 0;        // refuse anything larger; must be set
  std::optional<std::uint64_t> expected_bytes;
  std::string expected_sha256;  // hexadecimal; empty when unknown
  // Called on this thread several times a second while receiving or waiting; null is allowed.
  std::function<void(const DownloadProgress&)> on_progress;
};

struct DownloadedFile {
  std::uint64_t size_bytes = 0;
  std::string sha256;
};

// A file that fails its check is removed. When another process brings the same destination
// meanwhile, waits for it and takes its file, if it passes the checks.
base::Result<DownloadedFile> Download(const DownloadRequest& request, const HttpOptions& options);

}  // namespace switchyard::net
