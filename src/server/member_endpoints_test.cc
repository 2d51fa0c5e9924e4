#include "server/member_endpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "access/member_access.h"
#include "tests/support/api_server_test_fixture.h"

namespace switchyard::server {
namespace {

using testing::HasSubstr;
using testing::Not;

class MemberTest : public ApiServerTest {
 protected:
  static ApiServerOptions WithKeys() {
    ApiServerOptions options;
    options.keys = *access::ApiKeys::Parse("sk-client\n");
    options.member_keys = *access::MemberAccess::ParseKeys("mk-gateway name=west\nmk-second\n");
    return options;
  }
  static std::string Bearer(std::string_view key) {
    return fmt::format("Authorization: Bearer {}\r\n", key);
  }
  Reply AskMember(std::string_view method, std::string_view path,
                  std::string_view body = "") const {
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
  api_->ReplaceMemberKeys(*access::MemberAccess::ParseKeys("mk-new\n"));
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
  options.determinism = {true, "so it is"};
  options.identity = {.sha256 = "ab12", .architecture = "llama", .weight_types = "q4_1",
                      .kv_type = "f16"};
  options.chips = {{.name = "x", .device = "a card", .proof = "run on emulator"}};
  const std::chrono::sys_seconds end = std::chrono::floor<std::chrono::seconds>(
      std::chrono::system_clock::now() + std::chrono::hours(1));
  options.chips[0].certificate = {.against = "reference", .issued = "then", .expires = "soon",
                                  .end = end, .key = "SHA256:abc"};
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
  EXPECT_EQ(state["deterministic"],
            (base::Json{{"is_deterministic", true}, {"why", "so it is"}}));
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
  const base::Json certificate = {{"in_force", true}, {"against", "reference"}, {"issued", "then"},
                                  {"expires", "soon"}, {"key", "SHA256:abc"}};
  EXPECT_EQ(replica["certificate"], certificate);
  const Reply models = Ask("GET", "/v1/models", "", Bearer("sk-client"));
  const base::Json& listed = models.json["data"][1]["switchyard"]["certificates"][0];
  EXPECT_EQ(listed["chip"], "x");
  EXPECT_EQ(listed["expires"], "soon");
  const std::string metrics = Ask("GET", "/metrics").body;
  const std::string labels = R"({model_name="tiny",engine="0",chip="x",replica="0"} )";
  EXPECT_THAT(metrics, HasSubstr("switchyard_certified" + labels + "1\n"));
  EXPECT_THAT(metrics, HasSubstr(fmt::format("switchyard_certificate_end_seconds{}{}\n", labels,
                                             end.time_since_epoch().count())));
}

TEST_F(MemberTest, IsDrainedAndBroughtBack) {
  engine_.hold_at = 3;
  Start(WithKeys());
  EXPECT_EQ(AskMember("POST", "drain", R"({"mode":"x"})").json["error"]["param"], "mode");
  EXPECT_EQ(AskMember("POST", "drain", R"({"seconds":1})").json["error"]["param"], "mode");
  EXPECT_EQ(AskMember("POST", "drain", R"({"mode":"finish","seconds":-1})").status, 400);
  EXPECT_EQ(Ask("GET", "/ready").status, 200);
  for (int round = 0; round < 2; ++round) {
    std::string spoken;
    std::thread client([&] {
      spoken = Chat(R"(,"stream":true,"switchyard":{"version":1})", Bearer("sk-client")).body;
    });
    const auto tokens = static_cast<std::uint64_t>(3 * (round + 1));
    EXPECT_TRUE(Eventually([&] { return engine_.Status().completion_tokens == tokens; }));
    const Reply drained = AskMember("POST", "drain", R"({"mode":"finish"})");
    EXPECT_EQ(drained.status, 200);
    EXPECT_EQ(drained.json, (base::Json{{"draining", true}, {"stopping", false}, {"in_flight", 1},
                                        {"gives_back_in_s", nullptr}}));
    EXPECT_EQ(AskMember("GET", "state").json["drain"], drained.json);
    EXPECT_EQ(Ask("GET", "/ready").status, 503);
    EXPECT_THAT(Ask("GET", "/metrics").body,
                HasSubstr("switchyard_ready{model_name=\"tiny\",engine=\"0\"} 0"));
    const Reply refused = Chat("", Bearer("sk-client"));
    EXPECT_EQ(refused.status, 503);
    EXPECT_THAT(refused.head, HasSubstr("Retry-After: 1"));
    // In the second round in a little while.
    const Reply back = AskMember(
        "POST", "drain", fmt::format(R"({{"mode":"hand_back","seconds":{}}})", 0.1 * round));
    EXPECT_GE(back.json["gives_back_in_s"], 0);
    client.join();
    EXPECT_THAT(spoken, HasSubstr("switchyard_hand_back"));
    EXPECT_THAT(spoken, HasSubstr(R"("token_ids":[72,101,108])"));
    EXPECT_TRUE(Eventually([&] { return api_->in_flight() == 0; }));
    EXPECT_EQ(AskMember("POST", "undrain").json["draining"], false);
    EXPECT_EQ(Ask("GET", "/ready").status, 200);
  }
}

TEST_F(MemberTest, WhatStopsIsNotBroughtBack) {
  Start(WithKeys());
  api_->Stop(std::chrono::steady_clock::now());
  for (const char* path : {"undrain", "drain"}) {
    const Reply reply = AskMember("POST", path, R"({"mode":"finish"})");
    EXPECT_EQ(reply.status, 409);
    EXPECT_EQ(reply.json["error"]["code"], "stopping");
  }
  EXPECT_EQ(AskMember("GET", "state").json["drain"]["stopping"], true);
  EXPECT_EQ(Ask("GET", "/ready").status, 503);
}

TEST(ChipCertificate, OneThatHasExpiredIsNotInForce) {
  EXPECT_FALSE(IsInForce(std::nullopt));
  EXPECT_EQ(CertificateJson(std::nullopt)["expires"], nullptr);
  ChipCertificate certificate{.against = "a", .issued = "", .expires = "then",
                              .end = std::chrono::sys_seconds(std::chrono::seconds(1)), .key = ""};
  EXPECT_FALSE(IsInForce(certificate));
  EXPECT_EQ(CertificateJson(certificate)["in_force"], false);
  EXPECT_EQ(CertificateJson(certificate)["expires"], "then");
}

TEST(MemberAccess, KeysHaveNoLimits) {
  EXPECT_TRUE(access::MemberAccess::ParseKeys("a name=x\n"));
  for (const char* text : {"a concurrent=1\n", "a priority=1\n", "", "a\na\n"}) {
    EXPECT_FALSE(access::MemberAccess::ParseKeys(text)) << text;
  }
}

}  // namespace
}  // namespace switchyard::server
