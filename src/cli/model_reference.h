// What a user may write for MODEL, taken apart: a path, an address, a repository of a model hub or
// a name of the registry. Pure text; whether the thing exists is for model_store.h.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>

#include "base/error.h"

namespace switchyard::cli {

enum class Hub { kHuggingFace, kModelScope };

// The prefix by which a user names it: "hf" or "ms".
std::string_view HubPrefix(Hub hub);

struct PathReference {
  std::filesystem::path path;
};

struct WebReference {
  std::string url;  // http or https
};

// hf:org/repo[@revision][:selector], ms:…, or plain org/repo for Hugging Face.
struct HubReference {
  Hub hub = Hub::kHuggingFace;
  std::string repository;  // "org/repo"
  std::string revision;    // empty for the hub's default
  std::string selector;    // a file, a quantisation such as Q4_K_M, "safetensors", or empty
};

struct NameReference {
  std::string name;
};

using ModelReference = std::variant<PathReference, WebReference, HubReference, NameReference>;

// A path that exists always wins over other readings; the caller tests that first.
base::Result<ModelReference> ParseModelReference(std::string_view text);

// "org/repo": two parts of letters, digits, '.', '_' and '-'.
bool IsRepositoryName(std::string_view text);

// A path inside a repository that stays inside it: relative, without "..", "." and empty parts,
// backslashes and control characters.
bool IsSafeRelativePath(std::string_view path);

}  // namespace switchyard::cli
