// A fresh folder that is removed with the object. Tests run side by side, each in a process of its
// own, so a fixed name under the folder for temporary files would be shared by some of them.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace switchyard {

class TemporaryFolder {
 public:
  // A failure shows as an empty path.
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "switchyard_test_XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace switchyard
