// Text and JSON files of a model's folder.
#pragma once

#include <cstddef>
#include <expected>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace switchyard::model::internal {

// Several times the largest tokenizer.json.
inline constexpr std::size_t kLargestTextFile = std::size_t{256} << 20;

// `error` with the path of the model in front, unless it names that already.
std::unexpected<base::Error> About(const std::filesystem::path& path, base::Error error);

// A file of at most `largest` bytes.
base::Result<base::MappedFile> MapTextFile(const std::filesystem::path& path,
                                           std::size_t largest = kLargestTextFile);
// Empty if there is no such file.
base::Result<base::MappedFile> MapTextFileIfPresent(const std::filesystem::path& path,
                                                    std::size_t largest = kLargestTextFile);
// Valid while `file` lives.
std::string_view TextOf(const base::MappedFile& file);

base::Result<base::Json> ReadJsonFile(const std::filesystem::path& path);
// Null if there is no such file.
base::Result<base::Json> ReadJsonFileIfPresent(const std::filesystem::path& path);

}  // namespace switchyard::model::internal
