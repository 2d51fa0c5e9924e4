#include "cli/zip_member.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "tests/support/range_server.h"
#include "tests/support/zip_writer.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;

class ZipMemberTest : public testing::Test {
 protected:
  base::Status Extract(const std::string& member, std::uint64_t size, const std::string& sha256) {
    return ExtractZipMember(archive_, member, target_, size, sha256);
  }

  void ExpectNothingWritten() const {
    EXPECT_FALSE(std::filesystem::exists(target_));
    EXPECT_FALSE(std::filesystem::exists(target_.string() + ".unpacking"));
  }

  base::TemporaryFolder folder_;
  std::filesystem::path archive_ = folder_.path() / "a.zip";
  std::filesystem::path target_ = folder_.path() / "model.gguf";
  std::string content_ = net::SampleBytes(3'000'000, 4);
};

TEST_F(ZipMemberTest, TakesTheMemberOut) {
  WriteZip(archive_, "pkg/model.gguf", content_);
  const auto status = Extract("pkg/model.gguf", content_.size(), base::Sha256Of(content_));
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(net::ReadWholeFile(target_), content_);
  EXPECT_FALSE(std::filesystem::exists(target_.string() + ".unpacking"));
}

TEST_F(ZipMemberTest, RefusesWhatIsNotExpected) {
  WriteZip(archive_, "pkg/model.gguf", content_);
  EXPECT_EQ(Extract("pkg/other", content_.size(), base::Sha256Of(content_)).error().code,
            ErrorCode::kNotFound);
  EXPECT_EQ(Extract("pkg/model.gguf", content_.size() - 1, base::Sha256Of(content_)).error().code,
            ErrorCode::kDataLoss);
  EXPECT_EQ(Extract("pkg/model.gguf", content_.size(), std::string(64, '0')).error().code,
            ErrorCode::kDataLoss);
  ExpectNothingWritten();
}

// A bomb's directory can claim a small size; what counts is what comes out.
TEST_F(ZipMemberTest, ReadsNoMoreThanExpected) {
  const std::string zeros(50'000'000, '\0');
  WriteZip(archive_, "m", zeros);
  std::string bytes = net::ReadWholeFile(archive_);
  // The size stands as 32 little-endian bits in the member's local and central headers.
  const std::string claimed("\x80\xf0\xfa\x02", 4);
  const std::string small("\x10\x00\x00\x00", 4);
  int replaced = 0;
  for (std::size_t at = bytes.find(claimed); at != std::string::npos; at = bytes.find(claimed)) {
    bytes.replace(at, claimed.size(), small);
    ++replaced;
  }
  ASSERT_GE(replaced, 1);
  net::WriteWholeFile(archive_, bytes);
  EXPECT_FALSE(Extract("m", 16, base::Sha256Of(zeros.substr(0, 16))));
  ExpectNothingWritten();
}

TEST_F(ZipMemberTest, RefusesBrokenArchives) {
  WriteZip(archive_, "m", content_);
  const std::string bytes = net::ReadWholeFile(archive_);
  net::WriteWholeFile(archive_, "not a zip");
  EXPECT_EQ(Extract("m", content_.size(), base::Sha256Of(content_)).error().code,
            ErrorCode::kDataLoss);
  net::WriteWholeFile(archive_, bytes.substr(0, bytes.size() / 2));
  EXPECT_FALSE(Extract("m", content_.size(), base::Sha256Of(content_)));
  std::string flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 0x55);
  net::WriteWholeFile(archive_, flipped);
  EXPECT_EQ(Extract("m", content_.size(), base::Sha256Of(content_)).error().code,
            ErrorCode::kDataLoss);
  std::filesystem::remove(archive_);
  EXPECT_FALSE(Extract("m", content_.size(), base::Sha256Of(content_)));
  ExpectNothingWritten();
}

}  // namespace
}  // namespace switchyard::cli
