// The endpoints for KV pages over a transfer that answers as a test says, on a thread of its own.
#include "server/kv_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "access/member_access.h"
#include "engine/kv_transfer.h"
#include "tests/support/api_server_test_fixture.h"

namespace switchyard::server {
namespace {

using base::ErrorCode;
using base::Json;
using testing::HasSubstr;

const std::string kModel(64, 'a');

// `kv_pages` of one page of two tokens.
std::string Pages(const std::string& model) {
  engine::KvPagesHead head;
  head.model = model;
  head.shape.layers = {{1, 1, 1}};
  head.shape.page_size = 2;
  head.shape.pages = 1;
  head.tokens = {5, 6};
  engine::KvPagesWriter writer(head);
  writer.NextPage();
  return writer.Finish();
}

class FakeTransfer final : public engine::KvTransfer {
 public:
  ~FakeTransfer() override {
    for (std::thread& thread : threads_) thread.join();
  }

  base::Result<engine::KvExported> exported =
      engine::KvExported{std::string("\0\xFF pages", 8), 32, 32, 64};
  base::Result<engine::KvImported> imported = engine::KvImported{32, 64};
  engine::KvExportRequest asked;
  std::vector<engine::TokenId> given;

  void ExportKv(engine::KvExportRequest request, ExportDone done) override {
    asked = std::move(request);
    threads_.emplace_back([this, done = std::move(done)] { done(exported); });
  }
  void ImportKv(engine::KvPages pages, ImportDone done) override {
    given = pages.head().tokens;
    threads_.emplace_back([this, done = std::move(done)] { done(imported); });
  }

 private:
  std::vector<std::thread> threads_;
};

class KvEndpointsTest : public ApiServerTest {
 protected:
  void SetUp() override {
    ApiServerOptions options;
    options.keys = *access::ApiKeys::Parse("sk-client\n");
    options.member_keys = *access::MemberAccess::ParseKeys("mk-gateway\n");
    options.identity.sha256 = kModel;
    options.kv = &transfer_;
    options.kv_most_bytes = 1000;
    Start(std::move(options));
  }
  Reply Post(std::string_view what, std::string_view body, std::string_view key = "mk-gateway") {
    return Ask("POST", "/switchyard/v1/kv/" + std::string(what), body,
               fmt::format("Authorization: Bearer {}\r\n", key));
  }

  FakeTransfer transfer_;
};

TEST_F(KvEndpointsTest, AreForMembersOnly) {
  for (const char* what : {"export", "import"}) {
    EXPECT_EQ(Post(what, "", "sk-client").status, 403);
    EXPECT_EQ(Post(what, "", "mk-wrong").status, 401);
  }
}

TEST_F(KvEndpointsTest, GivePages) {
  const Reply reply = Post("export", R"({"prompt_token_ids":[1,2,3],"first_token":32})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, transfer_.exported->bytes);
  EXPECT_THAT(reply.head, HasSubstr("application/octet-stream"));
  EXPECT_THAT(reply.head, HasSubstr("x-switchyard-next-token: 32\r\n"));
  EXPECT_THAT(reply.head, HasSubstr("x-switchyard-cached-tokens: 64\r\n"));
  EXPECT_EQ(transfer_.asked.model, kModel);
  EXPECT_EQ(transfer_.asked.tokens, (std::vector<engine::TokenId>{1, 2, 3}));
  EXPECT_EQ(transfer_.asked.first_token, 32);
  EXPECT_EQ(transfer_.asked.most_bytes, 1000U);
  Post("export", R"({"prompt_token_ids":[1],"max_bytes":700})");
  EXPECT_EQ(transfer_.asked.most_bytes, 700U);
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("\nswitchyard_kv_tokens_exported_total{"
                                                    "model_name=\"tiny\",engine=\"0\"} 64\n"));
  transfer_.exported = base::Fail(ErrorCode::kNotFound, "nothing is cached");
  EXPECT_EQ(Post("export", R"({"prompt_token_ids":[1]})").status, 404);
}

TEST_F(KvEndpointsTest, RefuseWhatIsNoExport) {
  for (const char* body : {"", "[]", "{}", R"({"prompt_token_ids":[]})",
                           R"({"prompt_token_ids":"abc"})", R"({"prompt_token_ids":[-1]})",
                           R"({"prompt_token_ids":[1],"first_token":-1})",
                           R"({"prompt_token_ids":[1],"max_bytes":0})"}) {
    EXPECT_EQ(Post("export", body).status, 400) << body;
  }
}

TEST_F(KvEndpointsTest, TakePages) {
  const Reply reply = Post("import", Pages(kModel));
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json, Json({{"imported_tokens", 32}, {"cached_tokens", 64}}));
  EXPECT_EQ(transfer_.given, (std::vector<engine::TokenId>{5, 6}));
  EXPECT_THAT(Ask("GET", "/metrics").body, HasSubstr("\nswitchyard_kv_tokens_imported_total{"
                                                    "model_name=\"tiny\",engine=\"0\"} 32\n"));
}

TEST_F(KvEndpointsTest, RefuseForeignAndBrokenPages) {
  const Reply other = Post("import", Pages(std::string(64, 'b')));
  EXPECT_EQ(other.status, 400);
  EXPECT_EQ(other.json["error"]["code"], "other_model");
  EXPECT_THAT(other.json["error"]["message"].get<std::string>(), HasSubstr("`tiny`"));
  std::string broken = Pages(kModel);
  broken[150] ^= 1;
  EXPECT_THAT(Post("import", broken).body, HasSubstr("checksum"));
  EXPECT_EQ(Post("import", "{}").status, 400);
  EXPECT_TRUE(transfer_.given.empty());
  transfer_.imported = base::Fail(ErrorCode::kResourceExhausted, "requests hold all");
  const Reply full = Post("import", Pages(kModel));
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(full.json["error"]["code"], "insufficient_kv_pages");
}

// Who is drained can still give what others need.
TEST_F(KvEndpointsTest, GiveButDoNotTakeWhileDrained) {
  api_->Stop(std::chrono::steady_clock::now() + std::chrono::hours(1));
  EXPECT_EQ(Post("import", Pages(kModel)).status, 503);
  EXPECT_EQ(Post("export", R"({"prompt_token_ids":[1]})").status, 200);
}

}  // namespace
}  // namespace switchyard::server
