#include "cli/model_hub.h"

#include <utility>

#include "base/json.h"
#include "net/http_get.h"
#include "net/url.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;

// The largest repositories list some thousand files.
constexpr std::size_t kMaxListingBytes = std::size_t{32} << 20;
constexpr std::size_t kMaxListedFiles = 20'000;

std::string TextOf(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::uint64_t> NumberOf(const Json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

// Null when absent or of another kind.
const Json* ArrayOf(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? &*found : nullptr;
}

std::string DigestOrNothing(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool is_digest =
      text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_digest ? text : std::string();
}

base::Status CheckPath(const std::string& path, const std::string& repository) {
  if (IsSafeRelativePath(path)) return {};
  return Fail(ErrorCode::kDataLoss,
              "the list of '{}' holds a file with the path '{}', which would leave its folder; the "
              "hub or something on the way is not to be trusted",
              repository, path);
}

std::unexpected<base::Error> NotAListing(const HubAccess& access, const std::string& repository) {
  return Fail(ErrorCode::kDataLoss,
              "'{}' answers for '{}' with something else than a list of files; check the endpoint",
              net::UrlForDisplay(access.endpoint), repository);
}

}  // namespace

Result<std::vector<HubFile>> ParseHuggingFaceListing(std::string_view text, const HubAccess& access,
                                                     const std::string& repository,
                                                     const std::string& revision) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(text, "the list of " + repository));
  const Json* siblings = ArrayOf(json, "siblings");
  if (siblings == nullptr || siblings->size() > kMaxListedFiles)
    return NotAListing(access, repository);
  // The commit, so that a branch that moves between two files does not mix versions.
  std::string commit = TextOf(json, "sha");
  if (!IsSafeRelativePath(commit)) commit = revision;
  std::vector<HubFile> files;
  for (const Json& sibling : *siblings) {
    HubFile file;
    file.path = TextOf(sibling, "rfilename");
    SWITCHYARD_RETURN_IF_ERROR(CheckPath(file.path, repository));
    file.size_bytes = NumberOf(sibling, "size");
    file.version = TextOf(sibling, "blobId");
    if (const auto lfs = sibling.find("lfs"); lfs != sibling.end() && lfs->is_object()) {
      file.sha256 = DigestOrNothing(TextOf(*lfs, "sha256"));
      if (const auto size = NumberOf(*lfs, "size")) file.size_bytes = size;
    }
    file.url = fmt::format("{}/{}/resolve/{}/{}", access.endpoint, repository,
                           net::EscapeUrl(commit, false), net::EscapeUrl(file.path, true));
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<HubFile>> ParseModelScopeListing(std::string_view text, const HubAccess& access,
                                                    const std::string& repository,
                                                    const std::string& revision) {
  SWITCHYARD_TRY(const Json json, base::ParseJson(text, "the list of " + repository));
  const auto body = json.is_object() ? json.find("Data") : json.end();
  const Json* listed = body != json.end() ? ArrayOf(*body, "Files") : nullptr;
  if (listed == nullptr || listed->size() > kMaxListedFiles) {
    // Refusals may come with HTTP 200 and a message inside.
    if (const std::string message = TextOf(json, "Message"); !message.empty()) {
      return Fail(ErrorCode::kNotFound, "'{}' says of '{}': {}",
                  net::UrlForDisplay(access.endpoint), repository, message.substr(0, 300));
    }
    return NotAListing(access, repository);
  }
  std::vector<HubFile> files;
  for (const Json& entry : *listed) {
    if (TextOf(entry, "Type") == "tree") continue;
    HubFile file;
    file.path = TextOf(entry, "Path");
    SWITCHYARD_RETURN_IF_ERROR(CheckPath(file.path, repository));
    file.size_bytes = NumberOf(entry, "Size");
    file.sha256 = DigestOrNothing(TextOf(entry, "Sha256"));
    file.version = TextOf(entry, "Revision");
    file.url = fmt::format("{}/models/{}/resolve/{}/{}", access.endpoint, repository,
                           net::EscapeUrl(revision, false), net::EscapeUrl(file.path, true));
    files.push_back(std::move(file));
  }
  return files;
}

Result<std::vector<HubFile>> ListHubFiles(const HubAccess& access, const std::string& repository,
                                          const std::string& revision) {
  const bool is_hf = access.hub == Hub::kHuggingFace;
  const std::string asked = revision.empty() ? (is_hf ? "main" : "master") : revision;
  const std::string url =
      is_hf ? fmt::format("{}/api/models/{}/revision/{}?blobs=true", access.endpoint, repository,
                          net::EscapeUrl(asked, false))
            : fmt::format("{}/api/v1/models/{}/repo/files?Revision={}&Recursive=true",
                          access.endpoint, repository, net::EscapeUrl(asked, false));
  SWITCHYARD_TRY(const net::HttpText listing, net::HttpGet(url, kMaxListingBytes, access.http));
  return is_hf ? ParseHuggingFaceListing(listing.body, access, repository, asked)
               : ParseModelScopeListing(listing.body, access, repository, asked);
}

}  // namespace switchyard::cli
