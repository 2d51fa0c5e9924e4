#include "gateway/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#include "base/base64.h"
#include "base/temporary_folder.h"
#include "gateway/internal/sqlite_file.h"

namespace switchyard::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Answered final : public net::HttpResponder {
 public:
  void Respond(net::HttpResponse response) override {
    const std::lock_guard lock(mutex_);
    response_ = std::move(response);
    changed_.notify_all();
  }
  void BeginStream(net::HttpResponse) override {}
  void Write(std::string) override {}
  void EndStream() override {}
  void Abort() override {}
  void Post(std::function<void()>) override {}
  void After(std::chrono::milliseconds, std::function<void()>) override {}
  void OnGone(std::function<void()>) override {}

  net::HttpResponse Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(10), [this] { return response_.has_value(); });
    return response_.value_or(net::HttpResponse{.status = 0});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<net::HttpResponse> response_;
};

// Two members behind one server that lists no models itself, a key for operators and one for
// members.
class ControlTest : public testing::Test {
 protected:
  void SetUp() override {
    Write("operators", "ok-1 name=ann\n");
    Write("members", "mk-1 name=west\n");
    auto server = net::HttpServer::Start({}, [this](net::HttpRequest, auto responder) {
      responder->Respond({.body = is_broken_ ? "{\"data\": \xff}" : R"({"data": []})"});
    });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    Write("fleet.toml", Config());
    Start();
  }
  void Start() {
    control_.reset();
    auto control = Control::Start((folder_.path() / "fleet.toml").string(), {});
    ASSERT_TRUE(control) << control.error().message;
    control_ = std::move(*control);
  }
  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_.path() / name) << text;
  }
  struct Reply {
    int status = 0;
    base::Json json;
  };
  Reply Ask(const std::string& method, const std::string& target, const std::string& body = {},
            const std::string& key = "ok-1") {
    const auto responder = std::make_shared<Answered>();
    net::HttpRequest request{.method = method, .target = target, .body = body};
    request.headers.emplace_back("Authorization", "Bearer " + key);
    control_->admin().Answer(request, responder);
    const net::HttpResponse response = responder->Wait();
    auto json = base::ParseJson(response.body, "the answer");
    return {response.status, json ? std::move(*json) : base::Json()};
  }
  std::size_t Ranked() { return control_->fleet().Route({.model = "m"}).size(); }

  std::string Member(const std::string& name, const std::string& maker) const {
    return fmt::format(
        "[[member]]\nname = '{}'\nurl = 'http://127.0.0.1:{}'\nmaker = '{}'\nmodels = 'm'\n", name,
        server_->port(), maker);
  }
  std::string Config(const std::string& registry = "") const {
    return R"(
audit_file = "audit.db"
[listen]
admin_key_file = "operators"
member_key_file = "members"
[registry]
lease_seconds = 1
)" + registry +
           R"(
[watch]
every_seconds = 3600
probe = false
)" + Member("a", "xco") +
           Member("b", "yco");
  }
  const base::TemporaryFolder folder_;
  std::atomic<bool> is_broken_ = false;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<Control> control_;
};

TEST_F(ControlTest, KeysOpenWhatTheyAreFor) {
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet", "", "mk-1").status, 401);
  EXPECT_EQ(Ask("POST", "/switchyard/v1/members", "{}", "ok-1").status, 401);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/other").status, 404);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet/other").status, 404);
  const Reply fleet = Ask("GET", "/switchyard/v1/fleet");
  EXPECT_EQ(fleet.status, 200);
  EXPECT_EQ(fleet.json["members"].size(), 2U);
  EXPECT_EQ(fleet.json["members"][0]["name"], "a");
  EXPECT_EQ(fleet.json["models"], base::Json({"m"}));
  EXPECT_EQ(fleet.json["felt"]["requests"], 0);
}

TEST_F(ControlTest, OrdersAreWrittenDownAndOutliveTheGateway) {
  EXPECT_EQ(Ask("POST", "/switchyard/v1/fleet/drain", R"({"what": "nobody"})").status, 400);
  EXPECT_EQ(Ask("POST", "/switchyard/v1/fleet/drain", "[]").status, 400);
  const Reply forbidden = Ask("POST", "/switchyard/v1/fleet/forbid", R"({"what": "maker=xco"})");
  EXPECT_EQ(forbidden.status, 200);
  EXPECT_EQ(forbidden.json["members"], base::Json({"a"}));
  Ask("POST", "/switchyard/v1/fleet/drain", R"({"what": "b"})");
  EXPECT_EQ(Ranked(), 0U);
  Ask("POST", "/switchyard/v1/fleet/undrain", R"({"what": "b"})");
  const base::Json entries = Ask("GET", "/switchyard/v1/fleet/audit?limit=2").json["entries"];
  EXPECT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0]["action"], "undrain");
  EXPECT_EQ(entries[1]["actor"], "operator/ann");
  Start();
  EXPECT_EQ(Ranked(), 1U);
  EXPECT_THAT(control_->fleet().orders().forbidden, ElementsAre("maker=xco"));
}

TEST_F(ControlTest, AnOrderThatIsNotWrittenDownSaysSo) {
  const std::string order = R"({"what": "a"})";
  EXPECT_TRUE(Ask("POST", "/switchyard/v1/fleet/drain", order).json["not_written"].is_null());
  auto file = internal::SqliteFile::Open((folder_.path() / "audit.db").string());
  ASSERT_TRUE(file);
  ASSERT_TRUE(
      file->Run("CREATE TRIGGER full BEFORE INSERT ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"));
  const Reply reply = Ask("POST", "/switchyard/v1/fleet/forbid", order);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["not_written"], "SQLite: the disk is full");
  EXPECT_THAT(control_->fleet().orders().forbidden, ElementsAre("a"));
}

TEST_F(ControlTest, TheAuditLogNamesWhoseKeyItWas) {
  const std::string member =
      fmt::format(R"({{"name": "c", "url": "http://127.0.0.1:{}"}})", server_->port());
  Ask("POST", "/switchyard/v1/members", member, "mk-1");
  Ask("DELETE", "/switchyard/v1/members/c", "", "mk-1");
  Ask("POST", "/switchyard/v1/fleet/reload");
  const base::Json entries = Ask("GET", "/switchyard/v1/fleet/audit?limit=3").json["entries"];
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0]["action"], "configure");
  EXPECT_EQ(entries[0]["actor"], "operator/ann");
  EXPECT_EQ(entries[1]["action"], "leave");
  EXPECT_EQ(entries[1]["actor"], "member/west");
  EXPECT_EQ(entries[2]["action"], "join");
  EXPECT_EQ(entries[2]["actor"], "member/west");
  EXPECT_EQ(entries[2]["subject"], "c");
}

// One entry, which says that maker=xco may run since long ago.
class OldEtcd {
 public:
  OldEtcd() {
    auto server = net::HttpServer::Start({}, [this](net::HttpRequest request, auto responder) {
      if (is_away) return responder->Respond({.status = 503, .body = "{}"});
      if (request.Path() == "/v3/kv/put") ++puts;
      responder->Respond({.body = R"({"header": {"revision": "9"}, "kvs": [{"key": ")" +
                                  base::ToBase64("/switchyard/fleet/orders/forbid/maker=xco") +
                                  R"(", "value": ")" +
                                  base::ToBase64(R"({"actor": "operator/ann", "holds": false,
                                          "time": "2020-01-01T00:00:00.000000Z"})") +
                                  R"("}]})"});
    });
    if (server) server_ = std::move(*server);
  }
  std::string Config() const {
    return fmt::format("etcd = 'http://127.0.0.1:{}'\n", server_->port());
  }
  std::atomic<bool> is_away = true;
  std::atomic<int> puts = 0;

 private:
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ControlTest, AnOrderThatEtcdNeverSawOutlivesTheGateway) {
  OldEtcd etcd;
  Write("fleet.toml", Config(etcd.Config()));
  Start();
  const Reply forbidden = Ask("POST", "/switchyard/v1/fleet/forbid", R"({"what": "maker=xco"})");
  EXPECT_TRUE(forbidden.json["only_here"].is_string());
  etcd.is_away = false;
  Start();
  for (int i = 0; i < 1000 && etcd.puts == 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(etcd.puts, 0);
  EXPECT_THAT(control_->fleet().orders().forbidden, ElementsAre("maker=xco"));
  control_.reset();
}

TEST_F(ControlTest, WhatAMemberSaysIsReadableInTheAuditLog) {
  is_broken_ = true;
  Start();
  const auto is_lost = [this] {
    const auto view = control_->fleet().snapshot();
    return view->Find("a")->state->is_lost;
  };
  for (int i = 0; i < 1000 && !is_lost(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(is_lost());
  const Reply audit = Ask("GET", "/switchyard/v1/fleet/audit");
  EXPECT_EQ(audit.status, 200);
  EXPECT_THAT(base::WriteJson(audit.json), HasSubstr("not valid JSON"));
}

TEST_F(ControlTest, MembersRegisterAndAreGoneWithTheirLease) {
  const std::string member = fmt::format(
      R"({{"name": "c", "url": "http://127.0.0.1:{}", "maker": "zco", "models": [{{"name": "m"}}]}})",
      server_->port());
  const Reply joined = Ask("POST", "/switchyard/v1/members", member, "mk-1");
  EXPECT_EQ(joined.status, 200);
  EXPECT_EQ(joined.json["lease_seconds"], 1.0);
  EXPECT_EQ(Ranked(), 3U);
  for (int i = 0; i < 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    Ask("POST", "/switchyard/v1/members", member, "mk-1");
  }
  EXPECT_EQ(Ranked(), 3U);  // renewed
  for (int i = 0; i < 500 && Ranked() == 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(Ranked(), 2U);
  Ask("POST", "/switchyard/v1/members", member, "mk-1");
  EXPECT_EQ(Ask("DELETE", "/switchyard/v1/members/c", "", "mk-1").status, 200);
  EXPECT_EQ(Ranked(), 2U);
  EXPECT_EQ(Ask("POST", "/switchyard/v1/members", R"({"name": "c", "url": "x"})", "mk-1").status,
            400);
  EXPECT_EQ(Ask("POST", "/switchyard/v1/members", R"({"nane": "c"})", "mk-1").status, 400);
}

TEST_F(ControlTest, ReloadsWhatIsRightAndKeepsWhatIsNot) {
  Write("fleet.toml", "[listen]\nport = 'x'\n");
  const Reply wrong = Ask("POST", "/switchyard/v1/fleet/reload");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.json["error"]["message"].get<std::string>(), HasSubstr("fleet.toml:2"));
  EXPECT_EQ(Ranked(), 2U);
  Write("operators", "ok-2\n");
  Write("fleet.toml", Config() + Member("c", "zco"));
  // By itself, as the file has changed.
  for (int i = 0; i < 1000 && Ranked() != 3; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(Ranked(), 3U);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet").status, 401);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet", "", "ok-2").status, 200);
}

TEST_F(ControlTest, ExplainsWhereARequestRan) {
  const policy::RouteRequest request{.model = "m"};
  const Routed routed = control_->fleet().Route(request);
  control_->decisions().Begin("req-1", "begin", request, routed);
  const Reply reply = Ask("GET", "/switchyard/v1/fleet/explain/req-1");
  EXPECT_EQ(reply.json["steps"][0]["member"], "a");
  EXPECT_EQ(reply.json["steps"][0]["why"].size(), 2U);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet/explain/req-2").status, 404);
  // Whatever clients call a model.
  control_->decisions().Begin("req-3", "begin", {.model = "\xFF"}, routed);
  EXPECT_EQ(Ask("GET", "/switchyard/v1/fleet/explain/req-3").json["model"], "\uFFFD");
}

TEST_F(ControlTest, ADrillCutsOffAndReports) {
  EXPECT_TRUE(Ask("GET", "/switchyard/v1/fleet/drill").json.is_null());
  EXPECT_EQ(Ask("POST", "/switchyard/v1/fleet/drill", R"({"what": "maker=none"})").status, 400);
  const auto view = control_->fleet().snapshot();
  Attempt attempt = control_->fleet().Begin(*view->Find("a"), 5);
  bool is_cut = false;
  attempt.OnCut([&] { is_cut = true; });
  const Reply begun =
      Ask("POST", "/switchyard/v1/fleet/drill", R"({"what": "maker=xco", "seconds": 1})");
  EXPECT_EQ(begun.status, 202);
  EXPECT_TRUE(is_cut);
  attempt.Failed(FailureCause::kTakenOut);
  EXPECT_EQ(begun.json["answers_cut"], 1);
  EXPECT_EQ(Ranked(), 1U);
  // A second one would leave nobody, and the first still runs.
  EXPECT_NE(Ask("POST", "/switchyard/v1/fleet/drill", R"({"what": "b"})").status, 202);
  control_->felt().Add(
      {.moves = 1, .longest_gap_ms = 40},
      std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count());
  for (int i = 0; i < 500 && Ranked() != 2; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const base::Json report = Ask("GET", "/switchyard/v1/fleet/drill").json;
  EXPECT_EQ(report["is_over"], true);
  EXPECT_EQ(report["during"]["moved"], 1);
  EXPECT_EQ(report["during"]["longest_gap_ms"]["most"], 40.0);
}

}  // namespace
}  // namespace switchyard::gateway
