#include "net/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"

namespace switchyard::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// Waits until `what` is true; tests may be slow, so the limit is generous.
class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    auto server = HttpServer::Start(
        std::move(options),
        [this](HttpRequest request, auto responder) { Serve(request, responder); });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  void Serve(const HttpRequest& request, const std::shared_ptr<HttpResponder>& responder) {
    ++requests_;
    if (request.Path() == "/echo") {
      responder->Respond({.content_type = "text/plain",
                          .headers = {{"X-Method", request.method}},
                          .body = request.body});
    } else if (request.Path() == "/stream") {
      responder->BeginStream({.content_type = "text/event-stream"});
      responder->Write("one");
      responder->Write("two");
      responder->EndStream();
    } else if (request.Path() == "/flood") {
      responder->OnGone([this] { ++gone_; });
      responder->BeginStream({});
      for (int i = 0; i < 4000 && gone_ == 0; ++i) responder->Write(std::string(16384, 'x'));
      const std::lock_guard lock(mutex_);
      held_.push_back(responder);
    } else if (request.Path() == "/large") {
      responder->BeginStream({});
      responder->Write(": small\n\n");
      responder->Write(std::string(request.body.size(), 'x'));
      for (int i = 0; i < 100; ++i) responder->Write("small");
      responder->Write("end");
      responder->EndStream();
    } else if (request.Path() == "/hang") {
      responder->OnGone([this] { ++gone_; });
      const std::lock_guard lock(mutex_);
      held_.push_back(responder);
    } else if (request.Path() == "/throw") {
      throw std::runtime_error("a fault");
    }
  }

  void TearDown() override {
    if (server_) server_->Stop();
    held_.clear();
  }

  std::uint16_t port() const { return server_->port(); }

  std::atomic<int> requests_ = 0;
  std::atomic<int> gone_ = 0;
  std::mutex mutex_;
  std::vector<std::shared_ptr<HttpResponder>> held_;
  std::unique_ptr<HttpServer> server_;
};

constexpr std::string_view kGet = "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kHang = "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n";

// Behind a request that waits, more than the server keeps.
std::string PipelinedTooMuch() {
  std::string all(kHang);
  while (all.size() < 200 << 10) all += kGet;
  return all;
}

std::string Post(std::string_view body, std::string_view path = "/echo") {
  return fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}", path,
                     body.size(), body);
}

TEST_F(HttpServerTest, AnswersSeveralRequestsOnOneConnection) {
  Start();
  RawClient client(port());
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send(Post(fmt::format("body{}", i))));
    const std::string answer = client.ReadUntil(fmt::format("body{}", i));
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("X-Method: POST\r\n"));
    EXPECT_THAT(answer, HasSubstr("Content-Length: 5\r\n"));
  }
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  RawClient client(port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += Post(fmt::format("<{}>", i));
  // Half a request more, finished later.
  all += Post("<last>").substr(0, 30);
  ASSERT_TRUE(client.Send(all));
  std::string answers = client.ReadUntil("<49>");
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find(fmt::format("<{}>", i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  ASSERT_TRUE(client.Send(Post("<last>").substr(30)));
  EXPECT_THAT(client.ReadUntil("<last>"), EndsWith("<last>"));
}

TEST_F(HttpServerTest, StreamsInChunks) {
  Start();
  RawClient client(port());
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n"));
  const std::string answer = client.ReadUntil("0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
  ASSERT_TRUE(client.Send(Post("again")));
  EXPECT_THAT(client.ReadUntil("again"), EndsWith("again"));
}

TEST_F(HttpServerTest, StreamsToOldClientsUntilItCloses) {
  Start();
  RawClient client(port());
  ASSERT_TRUE(client.Send("GET /stream HTTP/1.0\r\n\r\n"));
  const std::string answer = client.ReadAll();
  EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\nonetwo"));
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Start();
  for (const std::string_view bytes :
       {"hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\0d\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"}) {
    RawClient client(port());
    ASSERT_TRUE(client.Send(bytes));
    client.ShutdownSend();
    const std::string answer = client.ReadAll();
    if (!answer.empty()) {
      EXPECT_THAT(answer, testing::MatchesRegex("HTTP/1.1 (4|5)(.|\n|\r)*")) << bytes;
    }
    EXPECT_TRUE(client.closed()) << bytes;
  }
  EXPECT_EQ(requests_, 0);
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  HttpServerOptions options;
  options.header_limit_bytes = 1024;
  options.body_limit_bytes = 1000;
  options.error_body = [](int status, std::string_view) { return fmt::format("<{}>", status); };
  Start(std::move(options));
  RawClient header(port());
  header.Send("GET /echo HTTP/1.1\r\nA: " + std::string(5000, 'a') + "\r\n\r\n");
  EXPECT_THAT(header.ReadAll(), testing::AllOf(HasSubstr(" 431 "), EndsWith("<431>")));
  RawClient body(port());
  body.Send(Post(std::string(1001, 'b')));
  EXPECT_THAT(body.ReadAll(), testing::AllOf(HasSubstr(" 413 "), EndsWith("<413>")));
  RawClient chunked(port());
  chunked.Send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n" +
               std::string(4095, 'c') + "\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.ReadAll(), HasSubstr(" 413 "));
  RawClient fits(port());
  fits.Send(Post(std::string(1000, 'd')));
  EXPECT_THAT(fits.ReadUntil("ddd"), HasSubstr(" 200 "));
}

TEST_F(HttpServerTest, BoundsLinesBetweenChunksAndWhatFollowsTheLast) {
  HttpServerOptions options;
  options.header_limit_bytes = 1024;
  Start(std::move(options));
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view begin : {"1;", "3\r\nabc\r\n1;", "3\r\nabc\r\n0\r\nx: "}) {
    RawClient endless(port());
    endless.Send(head + std::string(begin) + std::string(5000, 'a'));
    EXPECT_THAT(endless.ReadUntil("\r\n\r\n", seconds(2)), HasSubstr(" 431 ")) << begin;
  }
  EXPECT_EQ(requests_, 0);
  RawClient fits(port());
  fits.Send(head + "3;a=b\r\nabc\r\n0\r\nx: " + std::string(500, 'y') + "\r\n\r\n");
  EXPECT_THAT(fits.ReadUntil("abc"), HasSubstr(" 200 "));
}

TEST_F(HttpServerTest, CutsOffClientsThatNeverFinishTheirRequest) {
  HttpServerOptions options;
  options.header_timeout = milliseconds(200);
  options.body_timeout = milliseconds(200);
  options.idle_timeout = milliseconds(200);
  Start(std::move(options));
  RawClient idle(port());
  RawClient header(port());
  RawClient body(port());
  header.Send("GET /echo HTTP/1.1\r\nA: ");
  body.Send("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  // A byte now and then helps nobody.
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(milliseconds(80));
    header.Send("a");
    body.Send("a");
  }
  for (RawClient* client : {&idle, &header, &body}) {
    client->ReadAll(seconds(5));
    EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
  }
}

TEST_F(HttpServerTest, NoticesAClientThatGoesWhileItsAnswerIsDue) {
  Start();
  const auto go = {+[](RawClient& c) { c.Close(); }, +[](RawClient& c) { c.Reset(); },
                   +[](RawClient& c) { c.ShutdownSend(); }};
  int expected = 0;
  for (const auto leave : go) {
    RawClient client(port());
    client.Send(kHang);
    const int before = expected;
    ASSERT_TRUE(Eventually([&] { return requests_ == before + 1; }));
    EXPECT_EQ(gone_, before);
    leave(client);
    ++expected;
    EXPECT_TRUE(Eventually([&] { return gone_ == expected; }));
  }
}

TEST_F(HttpServerTest, NoticesAClientThatGoesBehindAllThatItPipelined) {
  Start();
  RawClient client(port());
  ASSERT_TRUE(client.Send(PipelinedTooMuch()));
  ASSERT_TRUE(Eventually([&] { return requests_ == 1; }));
  EXPECT_EQ(gone_, 0);
  client.Close();
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
  EXPECT_EQ(requests_, 1);
}

TEST_F(HttpServerTest, WhoPipelinesTooMuchHasTheAnswerInProgressAndNoOther) {
  Start();
  RawClient client(port());
  ASSERT_TRUE(client.Send(PipelinedTooMuch()));
  ASSERT_TRUE(Eventually([&] {
    const std::lock_guard lock(mutex_);
    return held_.size() == 1;
  }));
  std::this_thread::sleep_for(milliseconds(50));  // all that was sent has come
  held_.front()->Respond({.body = "late"});
  EXPECT_THAT(client.ReadAll(), AllOf(HasSubstr("Connection: close"), EndsWith("late")));
  EXPECT_TRUE(client.closed());
  EXPECT_EQ(requests_, 1);
}

TEST_F(HttpServerTest, CutsOffAClientThatDoesNotRead) {
  HttpServerOptions options;
  options.stream_buffer_bytes = 256 << 10;
  Start(std::move(options));
  RawClient client(port(), 4096);
  client.Send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
  // 64 MB were on their way; the writer never waited.
  EXPECT_TRUE(Eventually([&] { return gone_ == 1; }));
}

// However large a part is, it says nothing of the client.
TEST_F(HttpServerTest, WritesAPartThatIsLargerThanWhatAClientMayOwe) {
  HttpServerOptions options;
  options.stream_buffer_bytes = 64 << 10;
  Start(std::move(options));
  RawClient client(port());
  ASSERT_TRUE(client.Send(Post(std::string(3 << 20, 'b'), "/large")));
  EXPECT_THAT(client.ReadUntil("end").size(), testing::Gt(std::size_t{3 << 20}));
  EXPECT_FALSE(client.closed());
}

TEST_F(HttpServerTest, ServesTwoHundredAtOnce) {
  Start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<RawClient>(port()));
    ASSERT_TRUE(clients.back()->Send(Post(fmt::format("<{}>", i)).substr(0, 20)));
  }
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(
        clients[static_cast<std::size_t>(i)]->Send(Post(fmt::format("<{}>", i)).substr(20)));
  }
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(clients[static_cast<std::size_t>(i)]->ReadUntil(fmt::format("<{}>", i)),
                EndsWith(fmt::format("<{}>", i)));
  }
  EXPECT_EQ(server_->connections(), 200U);
}

TEST_F(HttpServerTest, TurnsAwayConnectionsBeyondTheLimit) {
  HttpServerOptions options;
  options.max_connections = 2;
  Start(std::move(options));
  auto first = std::make_unique<RawClient>(port());
  RawClient second(port());
  first->Send(kGet);
  second.Send(kGet);
  first->ReadUntil("\r\n\r\n");
  second.ReadUntil("\r\n\r\n");
  RawClient third(port());
  EXPECT_THAT(third.ReadAll(), testing::AllOf(HasSubstr(" 503 "), HasSubstr("Retry-After: 1")));
  first.reset();
  third.Close();
  ASSERT_TRUE(Eventually([&] { return server_->connections() == 1; }));
  RawClient fourth(port());
  fourth.Send(kGet);
  EXPECT_THAT(fourth.ReadUntil("\r\n\r\n"), HasSubstr(" 200 "));
}

TEST_F(HttpServerTest, ARequestThatNobodyAnswersIsAnError) {
  Start();
  RawClient client(port());
  client.Send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("no answer\n"), HasSubstr(" 500 "));
  client.Send("GET /throw HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("a fault"), HasSubstr(" 500 "));
}

TEST_F(HttpServerTest, AsksForABodyThatWaitsForIt) {
  Start();
  RawClient client(port());
  client.Send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr(" 100 "));
  client.Send("ok");
  EXPECT_THAT(client.ReadUntil("ok"), HasSubstr("200 "));
  client.Send("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr("X-Method: HEAD"));
}

TEST_F(HttpServerTest, StopEndsWhatIsInProgress) {
  Start();
  RawClient client(port());
  client.Send(kHang);
  ASSERT_TRUE(Eventually([&] { return requests_ == 1; }));
  server_->Stop();
  EXPECT_EQ(gone_, 1);
  held_.front()->Respond({});  // too late, and harmless
  client.ReadAll();
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, StopCutsNoAnswerThatIsAllThere) {
  Start();
  RawClient client(port(), 4096);
  // More than the kernel holds, and behind it what the server won't read: closing at once would
  // reset the connection.
  const std::string body(8 << 20, 'a');
  client.Send(fmt::format("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{}{}",
                          body.size(), body, std::string(200 << 10, 'j')));
  EXPECT_THAT(client.ReadUntil("\r\n\r\n"), HasSubstr(" 200 "));  // the body is on its way
  std::thread stopping([&] { server_->Stop(); });
  std::this_thread::sleep_for(milliseconds(100));
  const std::string rest = client.ReadAll();
  client.Close();
  stopping.join();
  EXPECT_EQ(rest.size(), body.size());
}

TEST_F(HttpServerTest, ListensOnVersion6AndSaysWhenItCannotListen) {
  HttpServerOptions options;
  options.host = "::";
  auto server = HttpServer::Start(std::move(options), [](HttpRequest, auto) {});
  if (server) {
    RawClient client((*server)->port());  // by version 4
    client.Send(kGet);
    EXPECT_THAT(client.ReadUntil("no answer\n"), HasSubstr(" 500 "));
    HttpServerOptions taken;
    taken.host = "::";
    taken.port = (*server)->port();
    const auto second = HttpServer::Start(std::move(taken), [](HttpRequest, auto) {});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, base::ErrorCode::kUnavailable);
  }
  HttpServerOptions wrong;
  wrong.host = "no such host";
  EXPECT_FALSE(HttpServer::Start(std::move(wrong), [](HttpRequest, auto) {}));
}

}  // namespace
}  // namespace switchyard::net
