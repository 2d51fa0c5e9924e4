// Zip archives for tests, written by libzip.
#pragma once

#include <gtest/gtest.h>
#include <zip.h>

#include <filesystem>
#include <string>

namespace switchyard::cli {

// An archive with one member of this name and content, and another beside it.
inline void WriteZip(const std::filesystem::path& path, const std::string& member,
                     const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  ASSERT_NE(archive, nullptr);
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  ASSERT_GE(zip_file_add(archive, member.c_str(), source, 0), 0);
  zip_source_t* other = zip_source_buffer(archive, "other", 5, 0);
  ASSERT_GE(zip_file_add(archive, "../../escaped", other, 0), 0);
  ASSERT_EQ(zip_close(archive), 0);
}

}  // namespace switchyard::cli
