#include "server/member_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/member_access.h"
#include "tests/support/api_server_test_fixture.h"

namespace switchyard::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class MemberTest : public ApiServerTest {
 protected:
  static ApiServerOptions WithKeys() {
    ApiServerOptions options;
    options.keys = *ApiKeys::Parse("sk-client\n");
    options.member_keys = *MemberAccess::ParseKeys("mk-gateway name=west\nmk-second\n");
    return options;
  }
  static std::string Bearer(std::string_view key) {
    return fmt::format("Authorization: Bearer {}\r\n", key);
  }
  Reply AskMember(std::string_view method, std::string_view path, std::string_view body = "") const {
    return Ask(method, "/switchyard/v1/" + std::string(path), body, Bearer("mk-gateway"));
  }
};

TEST_F(MemberTest, AnswersOnlyWhoHasAMembersKey) {
  Start(WithKeys());
  const auto ask = [&](std::string_view headers) {
    return Ask("GET", "/switchyard/v1/state", "", headers).status;
  };
  EXPECT_EQ(ask(""), 401);
  EXPECT_EQ(ask(Bearer("mk-wrong")), 401);
  EXPECT_EQ(ask(Bearer("sk-client")), 403);
  EXPECT_EQ(ask(Bearer("mk-gateway")), 200);
  EXPECT_EQ(ask(Bearer("mk-second")), 200);
  EXPECT_EQ(Chat("", Bearer("mk-gateway")).status, 401);
  EXPECT_THAT(log(), HasSubstr("key=member/west"));
  EXPECT_THAT(log(), Not(HasSubstr("mk-")));
  api_->ReplaceMemberKeys(*MemberAccess::ParseKeys("mk-new\n"));
  EXPECT_EQ(ask(Bearer("mk-gateway")), 401);
  EXPECT_EQ(ask(Bearer("mk-new")), 200);
}

TEST_F(MemberTest, IsNotThereWithoutAKey) {
  Start();
  const Reply reply = AskMember("GET", "state");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.json["error"]["code"], "unknown_url");
}

TEST_F(MemberTest, KnowsItsAddressesAndMethods) {
  Start(WithKeys());
  EXPECT_EQ(AskMember("GET", "nothing").status, 404);
  const Reply method = AskMember("POST", "state");
  EXPECT_EQ(method.status, 405);
  EXPECT_THAT(method.head, HasSubstr("Allow: GET\r\n"));
}

TEST_F(MemberTest, TellsItsState) {
  engine_.hold_at = 2;
  ApiServerOptions options = WithKeys();
  options.aliases = {"other"};
  options.identity = {.sha256 = "ab12", .architecture = "llama", .weight_types = "q4_1",
                      .kv_type = "f16"};
  options.chips = {{.name = "x", .device = "a card", .proof = "run on emulator"}};
  Start(std::move(options));
  net::RawClient client(http_->port());
  client.Send(Text("POST", "/v1/completions", R"({"model":"tiny","prompt":"a","stream":true})",
                   Bearer("sk-client")));
  client.ReadUntil("\"e\"");
  const Reply reply = AskMember("GET", "state");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const base::Json& state = reply.json;
  EXPECT_EQ(state["version"], 1);
  EXPECT_EQ(state["model"]["id"], "tiny");
  EXPECT_EQ(state["model"]["sha256"], "ab12");
  EXPECT_EQ(state["model"]["context_tokens"], 1000);
  EXPECT_EQ(state["running"], 1);
  EXPECT_EQ(state["kv_pages"], base::Json({{"total", 10}, {"in_use", 5}, {"cached", 0}}));
  EXPECT_EQ(state["drain"]["draining"], false);
  EXPECT_EQ(state["drain"]["in_flight"], 1);
  ASSERT_EQ(state["replicas"].size(), 1U);
  const base::Json& replica = state["replicas"][0];
  EXPECT_EQ(replica["chip"], "x");
  EXPECT_EQ(replica["proof"], "run on emulator");
  EXPECT_EQ(replica["maker"], nullptr);
  EXPECT_EQ(replica["ceiling_share"], nullptr);
  EXPECT_EQ(replica["lost"], false);
}

TEST(MemberAccess, KeysHaveNoLimits) {
  EXPECT_TRUE(MemberAccess::ParseKeys("a name=x\n"));
  for (const char* text : {"a concurrent=1\n", "a priority=1\n", "", "a\na\n"}) {
    EXPECT_FALSE(MemberAccess::ParseKeys(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::server
