// JSON files of a model's folder.
#pragma once

#include <filesystem>
#include <optional>

#include "base/error.h"
#include "base/json.h"

namespace switchyard::model::internal {

// Refuses files of more than 256 MiB, several times the largest tokenizer.json.
base::Result<base::Json> ReadJsonFile(const std::filesystem::path& path);

// Null if there is no such file.
base::Result<base::Json> ReadJsonFileIfPresent(const std::filesystem::path& path);

}  // namespace switchyard::model::internal
