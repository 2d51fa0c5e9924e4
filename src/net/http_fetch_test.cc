#include "net/http_fetch.h"

#include <gtest/gtest.h>

#include <future>

#include "net/http_server.h"

namespace switchyard::net {
namespace {

using std::chrono::milliseconds;

// A server that says back what it got, waits where the path says so, and a client beside it.
class HttpFetchTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Start({}, [this](HttpRequest request, auto responder) {
      if (request.Path() == "/never") return waiting_.push_back(std::move(responder));
      responder->Respond({.status = 201, .body = request.method + " " + request.body});
    });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    loop_ = EventLoop::Create();
    loop_->Run([this] { client_ = *HttpClient::Create(*loop_, {}); });
  }
  void TearDown() override {
    loop_->Run([this] { client_.reset(); });
    loop_.reset();
    waiting_.clear();
    server_.reset();
  }

  base::Result<FetchedAnswer> Get(const std::string& path, FetchLimits limits,
                                  std::string body = {}) {
    std::promise<base::Result<FetchedAnswer>> answer;
    std::unique_ptr<HttpFetch> fetch;
    loop_->Run([&] {
      CallRequest request{.method = "PUT", .target = path};
      SetBody(request, std::move(body));
      fetch = Fetch(*loop_, *client_, {.host = "127.0.0.1", .port = server_->port()},
                    std::move(request), limits, [&](auto result) {
                      fetch.reset();  // allowed
                      answer.set_value(std::move(result));
                    });
    });
    return answer.get_future().get();
  }

  std::vector<std::shared_ptr<HttpResponder>> waiting_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<HttpClient> client_;
};

TEST_F(HttpFetchTest, AWholeAnswer) {
  for (int i = 0; i < 3; ++i) {
    const auto answer = Get("/", {}, "text");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, "PUT text");
  }
}

TEST_F(HttpFetchTest, TooLongTooLateAndNobodyThere) {
  EXPECT_EQ(Get("/", {.max_bytes = 7}, "text").error().code, base::ErrorCode::kResourceExhausted);
  EXPECT_EQ(Get("/never", {.total = milliseconds(20)}).error().code,
            base::ErrorCode::kDeadlineExceeded);
  server_->Stop();
  EXPECT_EQ(Get("/", {}).error().code, base::ErrorCode::kUnavailable);
}

TEST_F(HttpFetchTest, CancelledItTellsNothing) {
  loop_->Run([&] {
    const auto fetch = Fetch(*loop_, *client_, {.host = "127.0.0.1", .port = server_->port()},
                             {.method = "GET", .target = "/never"}, {},
                             [](const auto&) { FAIL() << "it was cancelled"; });
  });
  EXPECT_TRUE(Get("/", {}));
}

}  // namespace
}  // namespace switchyard::net
