#include "net/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

#include "base/temporary_folder.h"
#include "net/http_server.h"
#include "tests/support/test_certificate.h"

namespace switchyard::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
namespace asio = boost::asio;

// What one call was told; waits for its end.
class Told final : public CallListener {
 public:
  void OnHead(CallHead head) override {
    head_ = std::move(head);
    ++heads_;
    if (on_head) on_head();
  }
  void OnBody(std::string_view piece) override {
    body_ += piece;
    if (on_body) on_body();
  }
  void OnEnd() override {
    if (on_end) on_end();
    End();
  }
  void OnFailure(CallFailure failure) override {
    failure_ = std::move(failure);
    End();
  }

  bool Wait() {
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, seconds(10), [&] { return is_over_; });
  }
  // After Wait.
  const CallHead& head() const { return head_; }
  int heads() const { return heads_; }
  const std::string& body() const { return body_; }
  const std::optional<CallFailure>& failure() const { return failure_; }

  std::function<void()> on_head;
  std::function<void()> on_body;
  std::function<void()> on_end;

 private:
  void End() {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    ended_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable ended_;
  bool is_over_ = false;
  CallHead head_;
  int heads_ = 0;
  std::string body_;
  std::optional<CallFailure> failure_;
};

// Says the same to everybody who connects, byte for byte, and then closes or waits.
class RawServer {
 public:
  RawServer(std::string answer, bool closes)
      : acceptor_(io_, {asio::ip::make_address("127.0.0.1"), 0}), thread_([=, this] {
          boost::system::error_code error;
          while (!error) {
            auto& socket = sockets_.emplace_back(io_);
            acceptor_.accept(socket, error);
            if (error) break;
            std::string request;
            asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", error);
            asio::write(socket, asio::buffer(answer), error);
            if (closes) socket.close(error);
            ++served_;
            error = {};
          }
        }) {}
  ~RawServer() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    thread_.join();
  }
  HttpOrigin origin() const {
    return {.host = "127.0.0.1", .port = acceptor_.local_endpoint().port()};
  }
  int served() const { return served_; }

 private:
  asio::io_context io_;
  asio::ip::tcp::acceptor acceptor_;
  std::list<asio::ip::tcp::socket> sockets_;
  std::atomic<int> served_ = 0;
  std::thread thread_;
};

class HttpClientTest : public testing::Test {
 protected:
  HttpClientTest() : loop_(EventLoop::Create()) {}
  ~HttpClientTest() override {
    loop_->Run([this] {
      calls_.clear();
      client_.reset();
    });
    held_.clear();
    if (server_) server_->Stop();
  }

  void StartServer(HttpServerOptions options = {}) {
    options.loop = loop_.get();
    auto server =
        HttpServer::Start(std::move(options), [this](HttpRequest request, auto responder) {
          const std::lock_guard lock(mutex_);
          peers_.push_back(request.peer);
          if (request.Path() == "/echo") {
            responder->Respond({.headers = {{"x-token", std::string(request.Header("x-token"))}},
                                .body = std::move(request.body)});
          } else if (request.Path() == "/stream") {
            responder->BeginStream({});
            for (int i = 0; i < 100; ++i) responder->Write(fmt::format("<{}>", i));
            responder->EndStream();
          } else {
            responder->OnGone([this] { ++gone_; });
            held_.push_back(responder);
          }
        });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    origin_ = {.host = "127.0.0.1", .port = server_->port()};
  }

  std::shared_ptr<Told> Send(CallRequest request, const HttpOrigin& origin) {
    auto told = std::make_shared<Told>();
    loop_->Run([&] {
      if (!client_) client_ = *HttpClient::Create(*loop_, options_);
      calls_.push_back(client_->Send(origin, std::move(request), told));
    });
    return told;
  }
  std::shared_ptr<Told> Send(CallRequest request) { return Send(std::move(request), origin_); }

  HttpClientOptions options_;
  HttpOrigin origin_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpClient> client_;
  std::vector<std::unique_ptr<HttpCall>> calls_;
  std::mutex mutex_;
  std::vector<std::string> peers_;
  std::vector<std::shared_ptr<HttpResponder>> held_;
  std::atomic<int> gone_ = 0;
};

TEST_F(HttpClientTest, SendsABodyInPiecesAndKeepsTheConnection) {
  StartServer();
  const std::string large(3 << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    const auto told = Send({.target = "/echo",
                            .headers = {{"x-token", "abc"}},
                            .body = {"one ", large, " two"}});
    ASSERT_TRUE(told->Wait());
    EXPECT_FALSE(told->failure());
    EXPECT_EQ(told->head().status, 200);
    EXPECT_EQ(told->head().Header("X-Token"), "abc");
    EXPECT_EQ(told->body(), "one " + large + " two");
  }
  EXPECT_EQ(peers_[0], peers_[1]);
  EXPECT_EQ(peers_[0], peers_[2]);
}

TEST_F(HttpClientTest, ReadsChunks) {
  StartServer();
  const auto told = Send({.method = "GET", .target = "/stream"});
  ASSERT_TRUE(told->Wait());
  EXPECT_THAT(told->body(), testing::StartsWith("<0><1><2>"));
  EXPECT_THAT(told->body(), testing::EndsWith("<98><99>"));
  EXPECT_EQ(told->heads(), 1);
}

TEST_F(HttpClientTest, ConnectsAnewWhereTheServerClosedAnIdleConnection) {
  StartServer({.idle_timeout = milliseconds(20)});
  ASSERT_TRUE(Send({.target = "/echo", .body = {"a"}})->Wait());
  while (server_->connections() > 0) std::this_thread::sleep_for(milliseconds(5));
  const auto told = Send({.target = "/echo", .body = {"b"}});
  ASSERT_TRUE(told->Wait());
  EXPECT_EQ(told->body(), "b");
}

TEST_F(HttpClientTest, CancelsAtOnce) {
  StartServer();
  const auto told = Send({.target = "/hang"});
  const auto hangs = [this] {
    const std::lock_guard lock(mutex_);
    return !held_.empty();
  };
  for (int i = 0; i < 1000 && !hangs(); ++i) std::this_thread::sleep_for(milliseconds(5));
  loop_->Run([&] { calls_.back()->Cancel(); });
  for (int i = 0; i < 1000 && gone_ == 0; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(gone_, 1);
}

TEST_F(HttpClientTest, MayBeCancelledByItsListener) {
  StartServer();
  auto told = std::make_shared<Told>();
  told->on_body = [this] { calls_.clear(); };
  loop_->Run([&] {
    client_ = *HttpClient::Create(*loop_, {});
    calls_.push_back(client_->Send(origin_, {.target = "/stream"}, told));
  });
  for (int i = 0; i < 1000 && server_->connections() > 0; ++i) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(server_->connections(), 0U);
}

TEST_F(HttpClientTest, WhatAListenerThrowsFailsItsCall) {
  StartServer();
  for (auto Told::* at : {&Told::on_head, &Told::on_body, &Told::on_end}) {
    auto told = std::make_shared<Told>();
    (*told).*at = [] { throw std::runtime_error("a fault"); };
    loop_->Run([&] {
      if (!client_) client_ = *HttpClient::Create(*loop_, {});
      calls_.push_back(client_->Send(origin_, {.target = "/stream"}, told));
    });
    ASSERT_TRUE(told->Wait());
    ASSERT_TRUE(told->failure());
    EXPECT_EQ(told->failure()->error.code, base::ErrorCode::kInternal);
    EXPECT_THAT(told->failure()->error.message, HasSubstr("a fault"));
  }
  // Others go on.
  const auto told = Send({.target = "/echo", .body = {"a"}});
  ASSERT_TRUE(told->Wait());
  EXPECT_EQ(told->body(), "a");
}

TEST_F(HttpClientTest, SaysWhatFailed) {
  const auto refused = Send({.target = "/"}, {.host = "127.0.0.1", .port = 1});
  ASSERT_TRUE(refused->Wait());
  ASSERT_TRUE(refused->failure());
  EXPECT_EQ(refused->failure()->stage, CallFailure::Stage::kConnect);
  EXPECT_THAT(refused->failure()->error.message, HasSubstr("'127.0.0.1:1' could not be reached"));

  StartServer();
  const auto silent = Send({.target = "/hang", .times = {.head = milliseconds(30)}});
  ASSERT_TRUE(silent->Wait());
  ASSERT_TRUE(silent->failure());
  EXPECT_EQ(silent->failure()->stage, CallFailure::Stage::kHead);
  EXPECT_TRUE(silent->failure()->is_timeout);

  const RawServer cut("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true);
  const auto broken = Send({.target = "/"}, cut.origin());
  ASSERT_TRUE(broken->Wait());
  EXPECT_EQ(broken->body(), "abc");
  ASSERT_TRUE(broken->failure());
  EXPECT_EQ(broken->failure()->stage, CallFailure::Stage::kBody);
  EXPECT_FALSE(broken->failure()->is_timeout);

  const RawServer stalled("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", false);
  const auto stalls = Send({.target = "/", .times = {.silence = milliseconds(30)}},
                           stalled.origin());
  ASSERT_TRUE(stalls->Wait());
  ASSERT_TRUE(stalls->failure());
  EXPECT_TRUE(stalls->failure()->is_timeout);
  EXPECT_EQ(stalls->failure()->stage, CallFailure::Stage::kBody);

  const RawServer other("SSH-2.0-OpenSSH_9.2\r\n", false);
  const auto strange = Send({.target = "/"}, other.origin());
  ASSERT_TRUE(strange->Wait());
  ASSERT_TRUE(strange->failure());
  EXPECT_THAT(strange->failure()->error.message, HasSubstr("does not speak HTTP"));
}

TEST_F(HttpClientTest, ReadsAnswersOfEveryForm) {
  const RawServer until_close("HTTP/1.0 200 OK\r\n\r\nall of it", true);
  const auto whole = Send({.target = "/"}, until_close.origin());
  ASSERT_TRUE(whole->Wait());
  EXPECT_FALSE(whole->failure());
  EXPECT_EQ(whole->body(), "all of it");

  const RawServer early("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", true);
  const auto empty = Send({.target = "/"}, early.origin());
  ASSERT_TRUE(empty->Wait());
  EXPECT_FALSE(empty->failure());
  EXPECT_EQ(empty->head().status, 204);
  EXPECT_EQ(empty->heads(), 1);
}

TEST_F(HttpClientTest, BoundsTheHead) {
  options_.head_limit_bytes = 1000;
  const RawServer endless("HTTP/1.1 200 OK\r\nx: " + std::string(100'000, 'y'), false);
  const auto told = Send({.target = "/"}, endless.origin());
  ASSERT_TRUE(told->Wait());
  EXPECT_TRUE(told->failure());
}

TEST_F(HttpClientTest, BoundsLinesBetweenChunksAndWhatFollowsTheLast) {
  options_.head_limit_bytes = 1000;
  for (const std::string_view begin : {"3\r\nabc\r\n1;", "3\r\nabc\r\n0\r\nx: "}) {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const RawServer endless(head + std::string(begin) + std::string(100'000, 'y'), false);
    const auto told = Send({.target = "/"}, endless.origin());
    ASSERT_TRUE(told->Wait()) << begin;
    EXPECT_EQ(told->body(), "abc");
    ASSERT_TRUE(told->failure()) << begin;
    EXPECT_THAT(told->failure()->error.message, HasSubstr("does not speak HTTP: header limit"));
  }
}

TEST_F(HttpClientTest, ChecksCertificates) {
  const base::TemporaryFolder folder;
  const TestCertificate authority("authority");
  const TestCertificate served("a server", &authority);
  const TestCertificate other("another authority");
  authority.Write(folder.path(), "authority");
  served.Write(folder.path(), "server");
  other.Write(folder.path(), "other");
  auto identity = TlsIdentity::Load({(folder.path() / "server.pem").string(),
                                     (folder.path() / "server.key").string(), ""});
  ASSERT_TRUE(identity) << identity.error().message;
  StartServer({.tls = *identity});
  origin_.is_tls = true;
  options_.ca_file = (folder.path() / "authority.pem").string();
  for (int i = 0; i < 2; ++i) {
    const auto told = Send({.target = "/echo", .body = {"secret"}});
    ASSERT_TRUE(told->Wait());
    EXPECT_FALSE(told->failure()) << told->failure()->error.message;
    EXPECT_EQ(told->body(), "secret");
  }
  EXPECT_EQ(peers_[0], peers_[1]);

  options_.ca_file = (folder.path() / "other.pem").string();
  loop_->Run([&] { client_ = *HttpClient::Create(*loop_, options_); });
  const auto refused = Send({.target = "/echo"});
  ASSERT_TRUE(refused->Wait());
  ASSERT_TRUE(refused->failure());
  EXPECT_THAT(refused->failure()->error.message, HasSubstr("certificate verify failed"));
}

TEST(HttpOrigin, IsReadFromAnAddress) {
  const auto plain = ParseOrigin("http://10.0.0.7:8000");
  ASSERT_TRUE(plain);
  EXPECT_EQ(*plain, (HttpOrigin{false, "10.0.0.7", 8000, ""}));
  EXPECT_EQ(plain->Authority(), "10.0.0.7:8000");
  const auto cloud = ParseOrigin("https://api.example.com/openai/");
  ASSERT_TRUE(cloud);
  EXPECT_EQ(*cloud, (HttpOrigin{true, "api.example.com", 443, "/openai"}));
  EXPECT_EQ(cloud->Authority(), "api.example.com");
  const auto six = ParseOrigin("http://[::1]:81");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "::1");
  EXPECT_EQ(six->Authority(), "[::1]:81");
  for (const auto* bad : {"ftp://a", "http://", "10.0.0.7:8000", "http://u:p@a", "http://a?k=v"}) {
    EXPECT_FALSE(ParseOrigin(bad)) << bad;
  }
}

}  // namespace
}  // namespace switchyard::net
