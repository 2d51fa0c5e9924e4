// Where models come from and where they are kept: turns what a user writes for MODEL into a file or
// folder on this machine, fetching it into the cache when it is not there. Every subcommand that
// takes a model goes through here. Blocks while it fetches; one object belongs to one thread, but
// several processes may share a cache folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "cli/cached_model.h"
#include "cli/environment.h"
#include "cli/model_hub.h"
#include "cli/model_reference.h"
#include "cli/model_registry.h"
#include "net/http_options.h"

namespace switchyard::cli {

struct ModelStoreOptions {
  std::filesystem::path cache_folder;
  std::filesystem::path own_registry;  // may be absent
  HubAccess hugging_face;
  HubAccess model_scope;
  std::string python_index_url;
  net::HttpOptions http;  // for everything but the hubs; its on_notice is replaced
};

// SWITCHYARD_CACHE, XDG_CACHE_HOME, XDG_CONFIG_HOME; HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME;
// MODELSCOPE_ENDPOINT, MODELSCOPE_API_TOKEN; PIP_INDEX_URL and pip's files; SSL_CERT_FILE,
// CURL_CA_BUNDLE.
ModelStoreOptions ReadModelStoreOptions(const Environment& environment);

struct PullProgress {
  std::string file;
  std::uint64_t received_bytes = 0;
  std::optional<std::uint64_t> total_bytes;
};

// What a fetch tells while it goes on; either may be null.
struct PullEvents {
  std::function<void(const PullProgress&)> on_progress;
  std::function<void(std::string_view)> on_notice;
};

struct LocalModel {
  std::filesystem::path path;    // a GGUF file, the first part of one, or a folder with safetensors
  std::uint64_t size_bytes = 0;  // of all its files; 0 for a path outside the cache
  bool was_there = false;        // nothing had to be fetched
};

enum class Freshness {
  kAsCached,    // what is in the cache is taken without asking anyone
  kLatest,      // hubs are asked whether there is a newer version
  kOnlyCached,  // what is not in the cache is kNotFound; nothing is fetched
};

struct KnownModel {
  RegisteredModel model;
  std::optional<std::filesystem::path> cached_path;
};

class ModelStore {
 public:
  static base::Result<ModelStore> Create(ModelStoreOptions options);

  base::Result<LocalModel> Resolve(std::string_view model, Freshness freshness,
                                   const PullEvents& events) const;

  // The registry, with what of it is in the cache.
  std::vector<KnownModel> Known() const;

 private:
  // One file to have in the cache.
  struct WantedFile {
    std::string path;  // relative to the cache folder
    HubFile source;
  };

  ModelStore(ModelStoreOptions options, ModelRegistry registry)
      : options_(std::move(options)), registry_(std::move(registry)) {}

  base::Result<LocalModel> ResolveName(const std::string& name, Freshness freshness,
                                       const PullEvents& events) const;
  base::Result<LocalModel> ResolveHub(const HubReference& reference, const RegisteredModel* pinned,
                                      int max_attempts, Freshness freshness,
                                      const PullEvents& events) const;
  base::Result<LocalModel> ResolveWeb(const WebReference& reference, Freshness freshness,
                                      const PullEvents& events) const;
  base::Result<LocalModel> ResolvePackage(const RegisteredModel& model, Freshness freshness,
                                          const PullEvents& events) const;

  // The record's files if every one is whole; refreshes the record's time stamps.
  std::optional<CachedModel> VerifiedRecord(const std::string& key) const;
  base::Result<LocalModel> BringFiles(const std::string& key, const std::string& entry,
                                      const std::vector<WantedFile>& wanted,
                                      const net::HttpOptions& http, const PullEvents& events) const;
  LocalModel Found(const CachedModel& model, bool was_there) const;
  std::filesystem::path RecordPath(const std::string& key) const;
  net::HttpOptions WithNotices(net::HttpOptions http, const PullEvents& events) const;

  ModelStoreOptions options_;
  ModelRegistry registry_;
};

}  // namespace switchyard::cli
