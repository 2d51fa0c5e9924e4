#include "net/download.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/sha256.h"
#include "net/http_get.h"
#include "tests/support/range_server.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

namespace fs = std::filesystem;

constexpr std::size_t kSize = 1'000'000;

class DownloadTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(server_.Url("/"), "") << "python3 could not start tests/support/range_server.py";
    options_.first_backoff = std::chrono::milliseconds(5);
    options_.stall_timeout = std::chrono::seconds(1);
    options_.max_attempts = 3;
  }

  DownloadRequest Request(std::string_view path) const {
    DownloadRequest request;
    request.url = server_.Url(path);
    request.destination = destination_;
    request.max_bytes = 10 * kSize;
    return request;
  }

  base::Result<DownloadedFile> Get(std::string_view path) const {
    return Download(Request(path), options_);
  }

  // Leaves the first part of the file at `path`, as a program that was stopped does.
  void LeavePart(std::string_view path, std::size_t size) {
    const int attempts = std::exchange(options_.max_attempts, 1);
    server_.Behave(path, fmt::format(R"([{{"cut_at": {}}}])", size));
    ASSERT_FALSE(Get(path));
    ASSERT_EQ(fs::file_size(Beside(".partial")), size);
    options_.max_attempts = attempts;
  }

  fs::path Beside(std::string_view suffix) const {
    return destination_.string() + std::string(suffix);
  }

  void ExpectNothingLeftBehind() const {
    for (const char* suffix : {".partial", ".partial.json", ".lock"}) {
      EXPECT_FALSE(fs::exists(Beside(suffix))) << suffix;
    }
  }

  std::string HeaderOf(std::string_view path, std::size_t request, const char* name) const {
    const auto requests = server_.Requests(path);
    return request < requests.size() ? requests[request]["headers"].value(name, "") : "no request";
  }

  RangeServer server_;
  base::TemporaryFolder folder_;
  fs::path destination_ = folder_.path() / "models" / "file";
  HttpOptions options_;
  std::string content_ = SampleBytes(kSize, 1);
};

TEST_F(DownloadTest, BringsAFile) {
  server_.Put("/file", content_);
  std::uint64_t last = 0;
  DownloadRequest request = Request("/file");
  request.on_progress = [&](const DownloadProgress& progress) { last = progress.received_bytes; };
  auto file = Download(request, options_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->size_bytes, kSize);
  EXPECT_EQ(file->sha256, base::Sha256Of(content_));
  EXPECT_EQ(last, kSize);
  EXPECT_EQ(ReadWholeFile(destination_), content_);
  ExpectNothingLeftBehind();
}

TEST_F(DownloadTest, BringsAnEmptyFile) {
  server_.Put("/file", "");
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(fs::exists(destination_));
  EXPECT_EQ(file->size_bytes, 0U);
}

TEST_F(DownloadTest, GoesOnWhereTheConnectionBroke) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{"cut_at": 300000}, {"cut_at": 200000}])");
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(ReadWholeFile(destination_), content_);
  EXPECT_EQ(HeaderOf("/file", 0, "range"), "");
  EXPECT_EQ(HeaderOf("/file", 1, "range"), "bytes=300000-");
  EXPECT_NE(HeaderOf("/file", 1, "if-range"), "");
  EXPECT_EQ(HeaderOf("/file", 2, "range"), "bytes=500000-");
}

TEST_F(DownloadTest, GoesOnInALaterRun) {
  server_.Put("/file", content_);
  LeavePart("/file", 400'000);
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->sha256, base::Sha256Of(content_));
  EXPECT_EQ(ReadWholeFile(destination_), content_);
  EXPECT_EQ(HeaderOf("/file", 1, "range"), "bytes=400000-");
  ExpectNothingLeftBehind();
}

TEST_F(DownloadTest, ManyBreaksAreNoReasonToGiveUpWhileThereIsHeadway) {
  const std::string large = SampleBytes(9'000'000, 2);
  server_.Put("/file", large);
  server_.Behave("/file", R"([{"cut_at": 2000000}, {"cut_at": 2000000}, {"cut_at": 2000000},
                              {"cut_at": 2000000}])");
  auto file = Get("/file");  // with 3 attempts
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->sha256, base::Sha256Of(large));
}

TEST_F(DownloadTest, StartsAgainWhenTheFileHasChanged) {
  server_.Put("/file", content_);
  LeavePart("/file", 400'000);
  const std::string changed = SampleBytes(kSize, 3);
  server_.Put("/file", changed);
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(ReadWholeFile(destination_), changed);
}

TEST_F(DownloadTest, StartsAgainWhenAServerMixesVersions) {
  server_.Put("/file", content_);
  LeavePart("/file", 400'000);
  const std::string changed = SampleBytes(kSize, 3);
  server_.Put("/file", changed);
  // The first request went to LeavePart.
  server_.Behave("/file", R"([{}, {"blind_range": true}])");
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(ReadWholeFile(destination_), changed);
}

TEST_F(DownloadTest, StartsAgainWhenTheServerKnowsNoRanges) {
  server_.Put("/file", content_);
  LeavePart("/file", 400'000);
  server_.Behave("/file", R"([{}, {"no_range": true}])");
  ASSERT_TRUE(Get("/file"));
  EXPECT_EQ(ReadWholeFile(destination_), content_);
}

TEST_F(DownloadTest, WithoutAValidatorOnlyAChecksumAllowsToGoOn) {
  server_.Put("/file", content_);
  const int attempts = std::exchange(options_.max_attempts, 1);
  server_.Behave("/file", R"([{"cut_at": 400000, "etag": ""}, {"cut_at": 500000, "etag": ""}])");
  ASSERT_FALSE(Get("/file"));
  ASSERT_FALSE(Get("/file"));
  EXPECT_EQ(HeaderOf("/file", 1, "range"), "");
  options_.max_attempts = attempts;
  DownloadRequest request = Request("/file");
  request.expected_sha256 = base::Sha256Of(content_);
  ASSERT_TRUE(Download(request, options_));
  EXPECT_EQ(HeaderOf("/file", 2, "range"), "bytes=500000-");
  EXPECT_EQ(ReadWholeFile(destination_), content_);
}

TEST_F(DownloadTest, StartsAgainWhenAnEarlierPartIsWrong) {
  server_.Put("/file", content_);
  WriteWholeFile(Beside(".partial"), SampleBytes(400'000, 9));
  DownloadRequest request = Request("/file");
  request.expected_bytes = kSize;
  request.expected_sha256 = base::Sha256Of(content_);
  auto file = Download(request, options_);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(ReadWholeFile(destination_), content_);
  EXPECT_EQ(server_.Requests("/file").size(), 2U);
}

TEST_F(DownloadTest, KnowsAPartThatIsWholeAlready) {
  server_.Put("/file", content_);
  WriteWholeFile(Beside(".partial"), content_);
  DownloadRequest request = Request("/file");
  request.expected_sha256 = base::Sha256Of(content_);
  ASSERT_TRUE(Download(request, options_));  // the server answers 416
  EXPECT_EQ(ReadWholeFile(destination_), content_);

  fs::remove(destination_);
  WriteWholeFile(Beside(".partial"), content_);
  request.expected_bytes = kSize;
  ASSERT_TRUE(Download(request, options_));
  EXPECT_EQ(server_.Requests("/file").size(), 1U);  // with the size known, nobody is asked
}

TEST_F(DownloadTest, APartThatIsAllTheServerHasMustBeAllThatIsExpected) {
  server_.Put("/file", content_);
  LeavePart("/file", 400'000);
  const std::string shorter = content_.substr(0, 400'000);
  server_.Put("/file", shorter);
  server_.Behave("/file", R"([{}, {"blind_range": true}])");  // the first went to LeavePart
  DownloadRequest request = Request("/file");
  request.expected_bytes = kSize;
  std::vector<std::string> notices;
  options_.on_notice = [&](std::string_view text) { notices.emplace_back(text); };
  auto file = Download(request, options_);  // the server answers 416
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(notices, testing::ElementsAre(HasSubstr("holds 400000 bytes where 1000000")));
  EXPECT_FALSE(fs::exists(destination_));
}

TEST_F(DownloadTest, StartsAgainWhenTheFileHasBecomeShorter) {
  server_.Put("/file", "short");
  WriteWholeFile(Beside(".partial"), content_);
  WriteWholeFile(Beside(".partial.json"),
                 fmt::format(R"({{"url": "{}", "etag": "\"x\"", "last_modified": "",
                                  "total_bytes": 2000000}})",
                             server_.Url("/file")));
  server_.Behave("/file", R"([{"blind_range": true}])");
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(ReadWholeFile(destination_), "short");
}

TEST_F(DownloadTest, RefusesAndRemovesAFileWithAnotherChecksum) {
  server_.Put("/file", content_);
  DownloadRequest request = Request("/file");
  request.expected_sha256 = std::string(64, '0');
  auto file = Download(request, options_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
  EXPECT_THAT(file.error().message, HasSubstr(base::Sha256Of(content_)));
  EXPECT_FALSE(fs::exists(destination_));
  ExpectNothingLeftBehind();
}

TEST_F(DownloadTest, RefusesASizeThatIsNotExpected) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{}, {"no_length": true}])");
  DownloadRequest request = Request("/file");
  for (const std::uint64_t expected : {kSize - 1, kSize - 1, kSize + 1}) {
    request.expected_bytes = expected;
    auto file = Download(request, options_);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::kDataLoss);
    EXPECT_THAT(file.error().message, HasSubstr(fmt::to_string(expected)));
  }
  EXPECT_EQ(server_.Requests("/file").size(), 3U);
  EXPECT_FALSE(fs::exists(destination_));
}

TEST_F(DownloadTest, RefusesMoreThanTheLimit) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{}, {"no_length": true}])");
  DownloadRequest request = Request("/file");
  request.max_bytes = kSize - 1;
  for (int i = 0; i < 2; ++i) {  // by what the server says, and by what it sends
    auto file = Download(request, options_);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::kResourceExhausted);
  }
  request.max_bytes = kSize;
  EXPECT_TRUE(Download(request, options_));
}

TEST_F(DownloadTest, RefusalsAreNotRepeated) {
  options_.credentials_hint = "set HF_TOKEN";
  const std::vector<std::pair<int, ErrorCode>> cases = {{401, ErrorCode::kUnauthenticated},
                                                        {403, ErrorCode::kPermissionDenied},
                                                        {404, ErrorCode::kNotFound},
                                                        {410, ErrorCode::kNotFound}};
  for (const auto& [status, code] : cases) {
    const std::string path = fmt::format("/refused{}", status);
    server_.Behave(path, fmt::format(R"([{{"status": {}, "forever": true,
                                           "headers": {{"X-Error-Message": "gated model"}}}}])",
                                     status));
    auto file = Get(path);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, code);
    EXPECT_THAT(file.error().message, HasSubstr("gated model"));
    EXPECT_THAT(file.error().message, HasSubstr(fmt::to_string(status)));
    if (status < 404) {
      EXPECT_THAT(file.error().message, HasSubstr("set HF_TOKEN"));
    }
    EXPECT_EQ(server_.Requests(path).size(), 1U);
  }
}

TEST_F(DownloadTest, WaitsForABusyServer) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{"status": 503}, {"status": 429, "headers": {"Retry-After": "1"}}])");
  std::vector<std::string> notices;
  options_.on_notice = [&](std::string_view text) { notices.emplace_back(text); };
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(Get("/file"));
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  ASSERT_EQ(notices.size(), 2U);
  EXPECT_THAT(notices[0], HasSubstr("HTTP 503"));
  EXPECT_THAT(notices[1], HasSubstr("trying again in 1.0 s"));
}

TEST_F(DownloadTest, GivesUpOnAServerThatStaysBusy) {
  server_.Behave("/file", R"([{"status": 503, "forever": true}])");
  auto file = Get("/file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(file.error().message, HasSubstr("gave up after 3 attempts"));
  EXPECT_EQ(server_.Requests("/file").size(), 3U);
}

TEST_F(DownloadTest, LeavesAStalledConnection) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{"stall_at": 250000}])");
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(HeaderOf("/file", 1, "range"), "bytes=250000-");
  EXPECT_EQ(ReadWholeFile(destination_), content_);
}

TEST_F(DownloadTest, KeepsSecretsFromTheHostOfARedirect) {
  server_.Put("/real", content_);
  server_.Behave("/file", R"([{"status": 302, "redirect": "{other}/real"}])");
  options_.bearer_token = "secret";
  options_.cookie = "session=secret";
  auto file = Get("/file");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(HeaderOf("/file", 0, "authorization"), "Bearer secret");
  EXPECT_EQ(HeaderOf("/file", 0, "cookie"), "session=secret");
  ASSERT_EQ(server_.Requests("/real").size(), 1U);
  EXPECT_EQ(HeaderOf("/real", 0, "authorization"), "");
  EXPECT_EQ(HeaderOf("/real", 0, "cookie"), "");
}

TEST_F(DownloadTest, GoesOnBehindARedirect) {
  server_.Put("/real", content_);
  server_.Behave("/file", R"([{"status": 307, "redirect": "/real", "forever": true}])");
  server_.Behave("/real", R"([{"cut_at": 100000}])");
  ASSERT_TRUE(Get("/file"));
  EXPECT_EQ(HeaderOf("/real", 1, "range"), "bytes=100000-");
  EXPECT_EQ(ReadWholeFile(destination_), content_);
}

TEST_F(DownloadTest, RefusesRedirectsThatLeaveHttpOrGoInCircles) {
  server_.Behave("/file", R"([{"status": 302, "redirect": "file:///etc/passwd"}])");
  server_.Behave("/circle", R"([{"status": 302, "redirect": "/circle", "forever": true}])");
  auto file = Get("/file");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kInvalidArgument);
  file = Get("/circle");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("redirects more than"));
}

TEST_F(DownloadTest, SendsNoTokenUnencryptedToAnotherMachine) {
  options_.bearer_token = "secret";
  DownloadRequest request = Request("/file");
  request.url = "http://192.0.2.1/file";  // an address for documentation; nothing is sent
  auto file = Download(request, options_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(file.error().message, testing::Not(HasSubstr("secret")));

  options_.bearer_token = "two\r\nX-Injected: lines";
  EXPECT_EQ(Get("/file").error().code, ErrorCode::kInvalidArgument);
}

TEST_F(DownloadTest, TwoAtOnceBringTheFileOnce) {
  server_.Put("/file", content_);
  server_.Behave("/file", R"([{"delay_s": 0.3}, {"delay_s": 0.3}])");
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      auto file = Get("/file");
      ASSERT_TRUE(file) << file.error().message;
      EXPECT_EQ(file->sha256, base::Sha256Of(content_));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server_.Requests("/file").size(), 1U);
  EXPECT_EQ(ReadWholeFile(destination_), content_);
  ExpectNothingLeftBehind();
}

TEST_F(DownloadTest, NamesAnAddressThatIsNone) {
  DownloadRequest request = Request("/file");
  request.url = "ftp://127.0.0.1/x";
  EXPECT_EQ(Download(request, options_).error().code, ErrorCode::kInvalidArgument);
  request.url = "http://127.0.0.1:1/x";  // nothing listens there
  auto file = Download(request, options_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(file.error().message, HasSubstr("http://127.0.0.1:1/x"));
}

TEST_F(DownloadTest, SaysWhereItMayNotWrite) {
  server_.Put("/file", content_);
  WriteWholeFile(folder_.path() / "plain", "a file, not a folder");
  DownloadRequest request = Request("/file");
  request.destination = folder_.path() / "plain" / "file";
  auto file = Download(request, options_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("cannot make the folder"));
}

TEST_F(DownloadTest, SmallTextsAreBounded) {
  server_.Put("/text", "0123456789");
  auto text = HttpGet(server_.Url("/text"), 10, options_);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(text->body, "0123456789");
  EXPECT_EQ(text->final_url, server_.Url("/text"));
  EXPECT_EQ(HttpGet(server_.Url("/text"), 9, options_).error().code, ErrorCode::kResourceExhausted);
  server_.Behave("/later", R"([{"status": 500}])");
  server_.Put("/later", "x");
  EXPECT_EQ(HttpGet(server_.Url("/later"), 9, options_)->body, "x");
}

}  // namespace
}  // namespace switchyard::net
