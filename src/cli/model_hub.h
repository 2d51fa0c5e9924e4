// Model hubs: which files a repository holds, and where each is fetched. Speaks the two services'
// HTTP interfaces, or those of mirrors that imitate them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/model_reference.h"
#include "net/http_options.h"

namespace switchyard::cli {

struct HubAccess {
  Hub hub = Hub::kHuggingFace;
  std::string endpoint;  // without a slash at its end, such as "https://huggingface.co"
  net::HttpOptions http;
};

struct HubFile {
  std::string path;  // inside the repository; safe to join to a folder
  std::string url;
  std::optional<std::uint64_t> size_bytes;
  std::string sha256;   // empty where the hub does not say
  std::string version;  // changes when the file does; empty where the hub does not say
};

// Blocks for one request.
base::Result<std::vector<HubFile>> ListHubFiles(const HubAccess& access,
                                                const std::string& repository,
                                                const std::string& revision);

// The two listings' JSON; files with paths that leave the repository are an error.
base::Result<std::vector<HubFile>> ParseHuggingFaceListing(std::string_view json,
                                                           const HubAccess& access,
                                                           const std::string& repository,
                                                           const std::string& revision);
base::Result<std::vector<HubFile>> ParseModelScopeListing(std::string_view json,
                                                          const HubAccess& access,
                                                          const std::string& repository,
                                                          const std::string& revision);

// The files that make one model, out of a repository's.
struct ModelFiles {
  std::vector<HubFile> files;
  // The file to load; empty when the folder of them all is.
  std::string entry;
};

// `selector` is a path or its last part; a quantisation ("Q4_K_M", in any case); "safetensors"; or
// empty for what is best at hand. A GGUF model in several parts brings all of them. An ambiguous or
// unmet selector fails, and names what there is.
base::Result<ModelFiles> ChooseModelFiles(const std::vector<HubFile>& files,
                                          std::string_view selector, std::string_view repository);

}  // namespace switchyard::cli
