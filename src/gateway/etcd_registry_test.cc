// Two gateways' registries on a real etcd, which the test starts, stops and starts again.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

#include "base/temporary_folder.h"
#include "gateway/internal/etcd_client.h"
#include "gateway/registry.h"
#include "net/http_server.h"

extern char** environ;

namespace switchyard::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr seconds kPatience{20};

bool Becomes(const std::function<bool()>& holds, milliseconds patience = kPatience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(20));
  }
  return true;
}

// A port that was free a moment ago.
std::uint16_t FreePort() {
  const auto server = net::HttpServer::Start({}, [](net::HttpRequest, auto) {});
  return server ? (*server)->port() : 0;
}

class Etcd {
 public:
  bool Start() {
    std::vector<std::string> words{"etcd",
                                   "--data-dir",
                                   folder_.path().string(),
                                   "--listen-client-urls",
                                   url(),
                                   "--advertise-client-urls",
                                   url(),
                                   "--listen-peer-urls",
                                   fmt::format("http://127.0.0.1:{}", peer_port_),
                                   "--log-level",
                                   "error"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t silent;
    posix_spawn_file_actions_init(&silent);
    posix_spawn_file_actions_addopen(&silent, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int failed = posix_spawnp(&child_, "etcd", &silent, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&silent);
    return failed == 0;
  }
  void Stop() {
    if (child_ == 0) return;
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  void Forget() const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove_all(entry);
    }
  }
  ~Etcd() { Stop(); }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

 private:
  const base::TemporaryFolder folder_;
  const std::uint16_t port_ = FreePort();
  const std::uint16_t peer_port_ = FreePort();
  pid_t child_ = 0;
};

struct Gateway {
  explicit Gateway(const std::string& url) : fleet(Config(url)) {
    registry = StartRegistry(*loop, fleet, [this](const base::LogRecord& record) {
      const std::lock_guard lock(mutex);
      log += record.message + "\n";
      for (const auto& field : record.fields) log += std::get<std::string>(field.value) + "\n";
    });
  }
  static FleetConfig Config(const std::string& url) {
    FleetConfig config;
    config.registry.etcd = {"http://127.0.0.1:1", url};  // at the first nobody listens
    config.registry.lease = seconds(2);
    return config;
  }
  base::Status Register(const std::string& name, const std::string& maker = "xco") {
    MemberConfig member{.name = name, .url = "http://127.0.0.1:9"};
    member.place.maker = maker;
    std::promise<base::Status> told;
    registry->Register(member, "member/k",
                       [&](base::Status status) { told.set_value(std::move(status)); });
    return told.get_future().get();
  }
  std::string MakerOf(std::string_view name) const {
    const auto view = fleet.snapshot();
    const Member* member = view->Find(name);
    return member == nullptr ? "" : member->config->place.maker;
  }
  base::Status Give(const FleetOrder& order) {
    std::promise<base::Status> told;
    registry->Share(fleet.Obey(order),
                    [&](base::Status status) { told.set_value(std::move(status)); });
    return told.get_future().get();
  }
  bool Forbids(std::string_view what) const {
    const auto orders = fleet.orders();
    return std::ranges::find(orders.forbidden, what) != orders.forbidden.end();
  }
  std::string Log() {
    const std::lock_guard lock(mutex);
    return log;
  }

  const std::unique_ptr<net::EventLoop> loop = net::EventLoop::Create();
  Fleet fleet;
  std::mutex mutex;
  std::string log;
  std::unique_ptr<Registry> registry;
};

class EtcdRegistryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!etcd_.Start()) GTEST_SKIP() << "there is no etcd here; Debian's etcd-server has it";
  }
  Etcd etcd_;
  std::unique_ptr<Gateway> Start() {
    auto gateway = std::make_unique<Gateway>(etcd_.url());
    EXPECT_TRUE(Becomes([&] { return gateway->Register("first").has_value(); })) << gateway->Log();
    return gateway;
  }
};

TEST_F(EtcdRegistryTest, AMemberOfOneGatewayIsAMemberOfAll) {
  const auto a = Start();
  const auto b = Start();
  ASSERT_TRUE(a->Register("west"));
  EXPECT_EQ(a->MakerOf("west"), "xco");
  EXPECT_TRUE(Becomes([&] { return b->MakerOf("west") == "xco"; }));
  // It renews at another one than it registered with, and says something new.
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(b->Register("west"));
    std::this_thread::sleep_for(milliseconds(400));
  }
  EXPECT_EQ(a->MakerOf("west"), "xco");
  ASSERT_TRUE(b->Register("west", "yco"));
  EXPECT_TRUE(Becomes([&] { return a->MakerOf("west") == "yco"; }));
  // It says nothing any more.
  EXPECT_TRUE(Becomes([&] { return a->MakerOf("west").empty() && b->MakerOf("west").empty(); }));
  ASSERT_TRUE(a->Register("west"));
  std::promise<base::Status> removed;
  b->registry->Remove("west", "member/k", [&](base::Status status) { removed.set_value(status); });
  EXPECT_TRUE(removed.get_future().get());
  EXPECT_TRUE(Becomes([&] { return a->MakerOf("west").empty(); }, seconds(1)));
}

TEST_F(EtcdRegistryTest, AFleetOutlivesItsEtcd) {
  const auto a = Start();
  ASSERT_TRUE(a->Register("west"));
  etcd_.Stop();
  EXPECT_TRUE(Becomes([&] { return a->Log().find("etcd is lost") != std::string::npos; }));
  const auto refused = a->Register("east");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("does not answer"));
  EXPECT_EQ(a->MakerOf("west"), "xco");
  ASSERT_TRUE(etcd_.Start());
  EXPECT_TRUE(Becomes([&] { return a->Register("east").has_value(); }));
  EXPECT_TRUE(Becomes([&] { return a->Log().find("etcd is back") != std::string::npos; }));
  const auto b = Start();
  EXPECT_TRUE(Becomes([&] { return b->MakerOf("east") == "xco"; }));
}

TEST_F(EtcdRegistryTest, AnOrderToOneGatewayIsObeyedByAll) {
  const auto a = Start();
  const auto b = Start();
  const FleetOrder forbid{.kind = OrderKind::kForbid, .what = "maker=xco/2", .actor = "operator/t"};
  ASSERT_TRUE(a->Give(forbid));
  EXPECT_TRUE(Becomes([&] { return b->Forbids("maker=xco/2"); }));
  // The last word counts, whoever gave it.
  FleetOrder allow = forbid;
  allow.holds = false;
  ASSERT_TRUE(b->Give(allow));
  EXPECT_TRUE(Becomes([&] { return !a->Forbids("maker=xco/2"); }));
  // One who comes later learns of what holds.
  ASSERT_TRUE(a->Give(forbid));
  EXPECT_TRUE(Becomes([&] { return b->Forbids("maker=xco/2"); }));
  const auto c = Start();
  EXPECT_TRUE(Becomes([&] { return c->Forbids("maker=xco/2"); }));
  // While etcd is away it holds where it was given, and everywhere once etcd is back.
  etcd_.Stop();
  const auto only_here = a->Give(allow);
  ASSERT_FALSE(only_here);
  EXPECT_THAT(only_here.error().message, HasSubstr("does not answer"));
  EXPECT_FALSE(a->Forbids("maker=xco/2"));
  EXPECT_TRUE(b->Forbids("maker=xco/2"));
  ASSERT_TRUE(etcd_.Start());
  EXPECT_TRUE(Becomes([&] { return !b->Forbids("maker=xco/2") && !c->Forbids("maker=xco/2"); }));
  EXPECT_FALSE(a->Forbids("maker=xco/2"));
}

TEST_F(EtcdRegistryTest, WhoWasKnownMayRenewWhereEtcdHasForgotten) {
  const auto a = Start();
  for (const char* const name : {"north", "east", "west"}) ASSERT_TRUE(a->Register(name));
  ASSERT_TRUE(a->Give({.kind = OrderKind::kForbid, .what = "maker=xco", .actor = "operator/t"}));
  etcd_.Stop();
  ASSERT_TRUE(Becomes([&] { return a->Log().find("etcd is lost") != std::string::npos; }));
  etcd_.Forget();
  ASSERT_TRUE(etcd_.Start());
  ASSERT_TRUE(Becomes([&] { return a->Log().find("etcd is back") != std::string::npos; }));
  EXPECT_EQ(a->MakerOf("west"), "xco");
  EXPECT_TRUE(a->Register("west"));
  EXPECT_EQ(a->MakerOf("west"), "xco");
  // So are orders.
  const auto b = Start();
  EXPECT_TRUE(Becomes([&] { return b->Forbids("maker=xco"); }));
  // Nobody renews any more.
  EXPECT_TRUE(Becomes([&] { return a->MakerOf("north").empty() && a->MakerOf("west").empty(); }));
}

TEST_F(EtcdRegistryTest, WhatIsNoMemberAndNoOrderIsToldAndPassedOver) {
  const auto a = Start();
  std::unique_ptr<internal::EtcdClient> client;
  std::promise<base::Status> put;
  a->loop->Run([&] {
    client = std::move(*internal::EtcdClient::Create(*a->loop, {etcd_.url()}, seconds(5)));
    client->Put({"/switchyard/fleet/orders/forbid/x", "[1]", 0}, [](const auto&) {});
    client->Put({"/switchyard/fleet/members/x", "{\"name\": 1}", 0}, [&](const auto& revision) {
      put.set_value(revision ? base::Status() : std::unexpected(revision.error()));
    });
  });
  ASSERT_TRUE(put.get_future().get());
  EXPECT_TRUE(Becomes([&] { return a->Log().find("can't be used") != std::string::npos; }));
  EXPECT_TRUE(Becomes([&] { return a->Log().find("is no order") != std::string::npos; }));
  EXPECT_FALSE(a->Forbids("x"));
  EXPECT_TRUE(a->Register("west"));
  EXPECT_EQ(a->MakerOf("west"), "xco");
  a->loop->Run([&] { client.reset(); });
}

}  // namespace
}  // namespace switchyard::gateway
