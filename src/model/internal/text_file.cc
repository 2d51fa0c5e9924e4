#include "model/internal/text_file.h"

#include <system_error>
#include <utility>

namespace switchyard::model::internal {
namespace {

bool Exists(const std::filesystem::path& path) {
  std::error_code failure;
  return std::filesystem::exists(path, failure);
}

}  // namespace

std::unexpected<base::Error> About(const std::filesystem::path& path, base::Error error) {
  if (error.message.find(path.string()) != std::string::npos) {
    return std::unexpected(std::move(error));
  }
  return base::Rethrow(std::move(error), "{}", path.string());
}

base::Result<base::MappedFile> MapTextFile(const std::filesystem::path& path, std::size_t largest) {
  if (!Exists(path)) {
    return base::Fail(
        base::ErrorCode::kNotFound,
        "'{}' is missing; give the folder of a whole model as Hugging Face has it, or "
        "fetch the model again",
        path.string());
  }
  SWITCHYARD_TRY(base::MappedFile file, base::MappedFile::Open(path));
  if (file.bytes().size() > largest) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "{} has {} bytes, and at most {} are believed of such a file; get an "
                      "undamaged copy of the model",
                      path.string(), file.bytes().size(), largest);
  }
  return file;
}

base::Result<base::MappedFile> MapTextFileIfPresent(const std::filesystem::path& path,
                                                    std::size_t largest) {
  if (!Exists(path)) return base::MappedFile();
  return MapTextFile(path, largest);
}

std::string_view TextOf(const base::MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

base::Result<base::Json> ReadJsonFile(const std::filesystem::path& path) {
  SWITCHYARD_TRY(const base::MappedFile file, MapTextFile(path));
  auto json = base::ParseJson(TextOf(file), path.string());
  if (!json) json.error().message += "; the file is damaged, so fetch it again";
  return json;
}

base::Result<base::Json> ReadJsonFileIfPresent(const std::filesystem::path& path) {
  if (!Exists(path)) return base::Json(nullptr);
  return ReadJsonFile(path);
}

}  // namespace switchyard::model::internal
