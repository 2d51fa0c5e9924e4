#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"

namespace switchyard::base {
namespace {

TEST(MappedFile, HoldsTheBytes) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "three_bytes";
  std::ofstream(path) << "abc";
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file);
  ASSERT_EQ(file->bytes().size(), 3U);
  EXPECT_EQ(static_cast<char>(file->bytes()[2]), 'c');
}

TEST(MappedFile, EmptyFileIsEmpty) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "empty";
  std::ofstream{path};
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, MissingFileIsNotFound) {
  auto file = MappedFile::Open("/nonexistent/file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
}

TEST(MappedFile, FolderIsRefused) { EXPECT_FALSE(MappedFile::Open("/")); }

}  // namespace
}  // namespace switchyard::base
