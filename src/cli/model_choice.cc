// Which of a repository's files make the model that is wanted; declared in model_hub.h.
#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "cli/model_hub.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string_view LastPart(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool IsGguf(const HubFile& file) { return Lower(file.path).ends_with(".gguf"); }

// The encoders of images that accompany some models: no model by themselves.
bool IsProjector(const HubFile& file) {
  return Lower(LastPart(file.path)).find("mmproj") != std::string::npos;
}

struct PartNumber {
  std::string stem;  // what all parts have in common
  int part = 0;
  int parts = 0;
};

// "x-00002-of-00003.gguf", the form in which large GGUF models are split.
std::optional<PartNumber> ParsePart(std::string_view path) {
  constexpr std::size_t kSuffix = sizeof("-00001-of-00003.gguf") - 1;
  if (path.size() <= kSuffix) return std::nullopt;
  const std::string_view suffix = path.substr(path.size() - kSuffix);
  const auto number = [&](std::size_t at) {
    int value = 0;
    for (const char c : suffix.substr(at, 5)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  if (suffix[0] != '-' || suffix.substr(6, 4) != "-of-") return std::nullopt;
  const PartNumber part{std::string(path.substr(0, path.size() - kSuffix)), number(1), number(10)};
  if (part.part < 1 || part.parts < part.part) return std::nullopt;
  return part;
}

// What tells the quantisation: the name without its ending and part number, in lower case.
std::string StemOf(const HubFile& file) {
  if (const auto part = ParsePart(file.path)) return Lower(LastPart(part->stem));
  std::string name = Lower(LastPart(file.path));
  return name.substr(0, name.size() - (sizeof(".gguf") - 1));
}

bool HasTag(const HubFile& file, std::string_view tag, bool at_end) {
  const std::string stem = StemOf(file);
  const auto is_border = [&](std::size_t at) {
    return at >= stem.size() || stem[at] == '-' || stem[at] == '.' || stem[at] == '_';
  };
  for (std::size_t at = stem.find(tag); at != std::string::npos; at = stem.find(tag, at + 1)) {
    const bool begins = at == 0 || is_border(at - 1);
    const std::size_t end = at + tag.size();
    if (begins && (at_end ? end == stem.size() : is_border(end))) return true;
  }
  return false;
}

Result<ModelFiles> WholeModel(const std::vector<HubFile>& files, const HubFile& chosen,
                              std::string_view repository) {
  const auto part = ParsePart(chosen.path);
  if (!part) return ModelFiles{{chosen}, chosen.path};
  std::vector<HubFile> parts;
  for (int number = 1; number <= part->parts; ++number) {
    const std::string path = fmt::format("{}-{:05}-of-{:05}.gguf", part->stem, number, part->parts);
    const auto found = std::find_if(files.begin(), files.end(),
                                    [&](const HubFile& file) { return file.path == path; });
    if (found == files.end()) {
      return Fail(ErrorCode::kNotFound, "'{}' lacks '{}', part {} of {} of the model", repository,
                  path, number, part->parts);
    }
    parts.push_back(*found);
  }
  std::string entry = parts.front().path;
  return ModelFiles{std::move(parts), std::move(entry)};
}

// A Hugging Face folder at the repository's top: weights, configuration and tokenizer.
std::optional<ModelFiles> SafetensorsModel(const std::vector<HubFile>& files) {
  static constexpr std::array<std::string_view, 12> kBeside = {"config.json",
                                                               "generation_config.json",
                                                               "tokenizer.json",
                                                               "tokenizer.model",
                                                               "tokenizer_config.json",
                                                               "special_tokens_map.json",
                                                               "added_tokens.json",
                                                               "vocab.json",
                                                               "merges.txt",
                                                               "chat_template.jinja",
                                                               "chat_template.json",
                                                               "model.safetensors.index.json"};
  const bool has_standard_name = std::any_of(files.begin(), files.end(), [](const HubFile& file) {
    return file.path.starts_with("model") && file.path.ends_with(".safetensors");
  });
  ModelFiles model;
  bool has_weights = false;
  bool has_config = false;
  for (const HubFile& file : files) {
    const bool is_weights = file.path.ends_with(".safetensors") &&
                            file.path.find('/') == std::string::npos &&
                            (!has_standard_name || file.path.starts_with("model"));
    has_weights |= is_weights;
    has_config |= file.path == "config.json";
    if (is_weights || std::find(kBeside.begin(), kBeside.end(), file.path) != kBeside.end()) {
      model.files.push_back(file);
    }
  }
  if (!has_weights || !has_config) return std::nullopt;
  return model;
}

// One line of what there is to choose from.
std::string Names(const std::vector<const HubFile*>& files) {
  constexpr std::size_t kMostNames = 12;
  std::string names;
  for (std::size_t i = 0; i < files.size() && i < kMostNames; ++i) {
    names += (i == 0 ? "" : ", ") + files[i]->path;
  }
  if (files.size() > kMostNames) names += fmt::format(" and {} more", files.size() - kMostNames);
  return names;
}

// Files that stand for a model each: whole ones, and the first parts of split ones.
std::vector<const HubFile*> GgufModels(const std::vector<HubFile>& files) {
  std::vector<const HubFile*> models;
  for (const HubFile& file : files) {
    if (!IsGguf(file) || IsProjector(file)) continue;
    const auto part = ParsePart(file.path);
    if (!part || part->part == 1) models.push_back(&file);
  }
  return models;
}

std::vector<const HubFile*> WithTag(const std::vector<const HubFile*>& models,
                                    std::string_view tag) {
  for (const bool at_end : {true, false}) {
    std::vector<const HubFile*> found;
    for (const HubFile* model : models) {
      if (HasTag(*model, tag, at_end)) found.push_back(model);
    }
    if (!found.empty()) return found;
  }
  return {};
}

}  // namespace

Result<ModelFiles> ChooseModelFiles(const std::vector<HubFile>& files, std::string_view selector,
                                    std::string_view repository) {
  // By the name of a file, or of the last part of its path.
  for (const bool whole_path : {true, false}) {
    for (const HubFile& file : files) {
      if (!IsGguf(file) || selector.empty()) continue;
      if ((whole_path ? std::string_view(file.path) : LastPart(file.path)) == selector) {
        return WholeModel(files, file, repository);
      }
    }
  }
  const std::vector<const HubFile*> models = GgufModels(files);
  const std::optional<ModelFiles> folder = SafetensorsModel(files);
  if (selector == "safetensors" && folder) return *folder;
  if (!selector.empty()) {
    const auto found = WithTag(models, Lower(selector));
    if (found.size() == 1) return WholeModel(files, *found.front(), repository);
    if (!found.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "'{}' fits several files of '{}': {}; name one",
                  selector, repository, Names(found));
    }
    return Fail(ErrorCode::kNotFound, "'{}' holds no '{}'; it has {}", repository, selector,
                models.empty() ? (folder ? "safetensors only" : "no model file") : Names(models));
  }
  if (models.size() == 1) return WholeModel(files, *models.front(), repository);
  // A middle way between size and loss, as publishers' own recommendations run.
  for (const std::string_view tag : {"q4_k_m", "q4_0", "q8_0", "q4_1", "q5_k_m"}) {
    const auto found = WithTag(models, tag);
    if (found.size() == 1) return WholeModel(files, *found.front(), repository);
  }
  if (models.empty() && folder) return *folder;
  if (models.empty()) {
    return Fail(ErrorCode::kNotFound,
                "'{}' holds neither a GGUF file nor safetensors with a config.json", repository);
  }
  return Fail(ErrorCode::kInvalidArgument, "'{}' holds several models: {}; add :FILE to name one",
              repository, Names(models));
}

}  // namespace switchyard::cli
