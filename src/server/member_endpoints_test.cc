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

TEST(MemberAccess, KeysHaveNoLimits) {
  EXPECT_TRUE(MemberAccess::ParseKeys("a name=x\n"));
  for (const char* text : {"a concurrent=1\n", "a priority=1\n", "", "a\na\n"}) {
    EXPECT_FALSE(MemberAccess::ParseKeys(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::server
