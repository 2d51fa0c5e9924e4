// An ApiServer over a scripted engine behind a real HTTP server, and a client that asks it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/json.h"
#include "server/api_server.h"
#include "tests/support/eventually.h"
#include "tests/support/raw_client.h"
#include "tests/support/scripted_engine.h"

namespace switchyard::server {

struct Reply {
  int status = 0;
  std::string head;
  std::string body;
  base::Json json;
};

// The payloads of a body's chunks put together.
inline std::string Unchunked(std::string_view text) {
  std::string body;
  while (!text.empty()) {
    const std::size_t line = text.find("\r\n");
    const auto size =
        static_cast<std::size_t>(std::stoul(std::string(text.substr(0, line)), nullptr, 16));
    if (size == 0 || line == std::string_view::npos) break;
    body += text.substr(line + 2, size);
    text.remove_prefix(line + 2 + size + 2);
  }
  return body;
}

class ApiServerTest : public testing::Test {
 protected:
  void Start(ApiServerOptions options = {}) {
    options.model = "tiny";
    options.version = "9.9";
    options.log = [this](const base::LogRecord& record) {
      const std::lock_guard lock(mutex_);
      log_ += base::ToText(record, base::LogFormat::kLogfmt, {}) + "\n";
    };
    api_ = std::make_unique<ApiServer>(std::move(options), engine_, text_);
    auto http = net::HttpServer::Start({}, [this](net::HttpRequest request, auto responder) {
      api_->Serve(std::move(request), std::move(responder));
    });
    ASSERT_TRUE(http);
    http_ = std::move(*http);
  }
  void TearDown() override { http_->Stop(); }

  static std::string Text(std::string_view method, std::string_view path, std::string_view body,
                          std::string_view headers) {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{}", method,
        path, headers, body.size(), body);
  }

  Reply Ask(std::string_view method, std::string_view path, std::string_view body = "",
            std::string_view headers = "") const {
    net::RawClient client(http_->port());
    client.Send(Text(method, path, body, headers));
    const std::string all = client.ReadAll();
    Reply reply;
    if (all.size() < 12) return reply;
    reply.status = std::stoi(all.substr(9, 3));
    const std::size_t end = all.find("\r\n\r\n");
    reply.head = all.substr(0, end + 2);
    reply.body = all.substr(end + 4);
    if (reply.head.find("chunked") != std::string::npos) reply.body = Unchunked(reply.body);
    if (auto json = base::ParseJson(reply.body, "reply")) reply.json = *json;
    return reply;
  }
  Reply Chat(std::string_view fields = "", std::string_view headers = "") const {
    return Ask("POST", "/v1/chat/completions",
               R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}])" +
                   std::string(fields) + "}",
               headers);
  }
  std::string log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  ScriptedEngine engine_;
  BytesText text_;
  std::mutex mutex_;
  std::string log_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<net::HttpServer> http_;
};

}  // namespace switchyard::server
