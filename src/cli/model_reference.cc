#include "cli/model_reference.h"

#include <algorithm>

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;

constexpr std::size_t kMaxPart = 128;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool IsNamePart(std::string_view part) {
  return !part.empty() && part.size() <= kMaxPart && part != "." && part != ".." &&
         std::all_of(part.begin(), part.end(), IsNameCharacter);
}

Result<ModelReference> ParseHub(Hub hub, std::string_view text) {
  HubReference reference{.hub = hub, .repository = {}, .revision = {}, .selector = {}};
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    reference.selector = text.substr(colon + 1);
    text = text.substr(0, colon);
    if (!IsSafeRelativePath(reference.selector)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "'{}' does not name a file in '{}'; write a file such as model.gguf, or a "
                  "quantisation such as Q4_K_M",
                  reference.selector, text);
    }
  }
  const std::size_t at = text.find('@');
  if (at != std::string_view::npos) {
    reference.revision = text.substr(at + 1);
    text = text.substr(0, at);
    if (!IsSafeRelativePath(reference.revision)) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' is not a revision of '{}'", reference.revision,
                  text);
    }
  }
  reference.repository = text;
  if (!IsRepositoryName(text)) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is not a repository; write {}:ORGANISATION/REPOSITORY[:FILE]", text,
                HubPrefix(hub));
  }
  return reference;
}

}  // namespace

std::string_view HubPrefix(Hub hub) { return hub == Hub::kHuggingFace ? "hf" : "ms"; }

bool IsRepositoryName(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && IsNamePart(text.substr(0, slash)) &&
         IsNamePart(text.substr(slash + 1));
}

bool IsSafeRelativePath(std::string_view path) {
  if (path.empty() || path.size() > 1024) return false;
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
  }
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > 200) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

Result<ModelReference> ParseModelReference(std::string_view text) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "the model's name is empty");
  if (text.size() > 4096) {
    return Fail(ErrorCode::kInvalidArgument, "the model's name is {} characters long", text.size());
  }
  if (text.starts_with("hf:")) return ParseHub(Hub::kHuggingFace, text.substr(3));
  if (text.starts_with("ms:")) return ParseHub(Hub::kModelScope, text.substr(3));
  if (text.starts_with("https://") || text.starts_with("http://")) {
    return WebReference{std::string(text)};
  }
  constexpr std::string_view kFileScheme = "file://";
  if (text.starts_with(kFileScheme)) return PathReference{text.substr(kFileScheme.size())};
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' begins with '{}://', which is not fetched; use https://", text,
                text.substr(0, scheme));
  }
  const bool looks_like_path = text.starts_with('/') || text.starts_with("./") ||
                               text.starts_with("../") || text.starts_with("~/") ||
                               text.ends_with(".gguf");
  if (text.find('/') != std::string_view::npos) {
    // org/repo:file.gguf is a repository too, but a bare org/file.gguf is meant as a path.
    const std::string_view repository = text.substr(0, text.find_first_of("@:"));
    const bool is_hub = IsRepositoryName(repository) && !repository.ends_with(".gguf");
    if (is_hub && !text.starts_with('.')) return ParseHub(Hub::kHuggingFace, text);
    return PathReference{text};
  }
  if (looks_like_path) return PathReference{text};
  return NameReference{std::string(text)};
}

}  // namespace switchyard::cli
