#include "model/internal/json_file.h"

#include <string_view>
#include <system_error>

#include "base/mapped_file.h"

namespace switchyard::model::internal {

base::Result<base::Json> ReadJsonFile(const std::filesystem::path& path) {
  constexpr std::size_t kLargest = std::size_t{256} << 20;
  SWITCHYARD_TRY(const base::MappedFile file, base::MappedFile::Open(path));
  const std::span<const std::byte> bytes = file.bytes();
  if (bytes.size() > kLargest) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "{} has {} bytes, which is too much for a file of settings", path.string(),
                      bytes.size());
  }
  return base::ParseJson({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                         path.string());
}

base::Result<base::Json> ReadJsonFileIfPresent(const std::filesystem::path& path) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) return base::Json(nullptr);
  return ReadJsonFile(path);
}

}  // namespace switchyard::model::internal
