#include "gateway/member_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "net/http_server.h"

namespace switchyard::gateway {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kState =
    R"({"version": 1, "running": 3, "model": {"id": "m-1", "aliases": ["m"]}})";

// A server that answers as `service` says.
std::unique_ptr<net::HttpServer> Serve(
    std::function<net::HttpResponse(const net::HttpRequest&)> service, std::uint16_t port = 0) {
  auto server =
      net::HttpServer::Start({.port = port}, [service](net::HttpRequest request, auto responder) {
        responder->Respond(service(request));
      });
  return server ? std::move(*server) : nullptr;
}

FleetConfig Watched(std::uint16_t port, MemberKind kind) {
  FleetConfig config;
  config.watch = {.every = milliseconds(50), .timeout = milliseconds(500), .misses = 2};
  config.members = {{.name = "a",
                     .url = "http://127.0.0.1:" + std::to_string(port),
                     .kind = kind,
                     .api_key = "sk-client",
                     .member_key = kind == MemberKind::kSwitchyard ? "mk-right" : ""}};
  return config;
}

// Until it is so, or ten seconds have passed.
bool WaitFor(const Fleet& fleet, const std::function<bool(const Member&)>& is_so) {
  for (int i = 0; i < 1000; ++i) {
    if (is_so(fleet.snapshot()->members.at(0))) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

TEST(MemberWatch, OurServerIsAskedForItsStateAndIsLostAndBack) {
  const auto service = [](const net::HttpRequest& request) -> net::HttpResponse {
    const bool is_right = request.Path() == "/switchyard/v1/state" &&
                          request.Header("authorization") == "Bearer mk-right";
    return is_right ? net::HttpResponse{.body = std::string(kState)}
                    : net::HttpResponse{.status = 404};
  };
  auto server = Serve(service);
  const std::uint16_t port = server->port();
  Fleet fleet(Watched(port, MemberKind::kSwitchyard));
  const auto watch = MemberWatch::Start(fleet);
  EXPECT_TRUE(WaitFor(fleet, [](const Member& member) { return member.state->load.running == 3; }));
  EXPECT_EQ(fleet.Route({.model = "m"}).size(), 1U);  // by its alias
  server.reset();
  EXPECT_TRUE(WaitFor(fleet, [](const Member& member) { return member.state->is_lost; }));
  EXPECT_EQ(fleet.Route({.model = "m"}).decision.verdicts[0].code, policy::RouteCode::kLost);
  server = Serve(service, port);
  ASSERT_NE(server, nullptr);
  EXPECT_TRUE(WaitFor(fleet, [](const Member& member) { return !member.state->is_lost; }));
}

// Knows return_token_ids and continue_final_message, and takes tokens for a prompt of text.
net::HttpResponse OutsideEngine(const net::HttpRequest& request) {
  if (request.Path() == "/v1/models") return {.body = R"({"data": [{"id": "org/m"}]})"};
  if (request.Path() == "/metrics") {
    return {.content_type = "text/plain", .body = "vllm:num_requests_running 7\n"};
  }
  if (request.Path() == "/v1/completions") {
    return {.body = R"({"choices": [{"token_ids": [5]}], "usage": {"prompt_tokens": 7}})"};
  }
  if (request.body.find("continue_final_message") != std::string::npos) return {.status = 400};
  return {.body = R"({"choices": [{"index": 0, "token_ids": [5], "message": {}}]})"};
}

TEST(MemberWatch, AnOutsideEngineIsAskedForModelsAndMetricsAndProbed) {
  const auto server = Serve(OutsideEngine);
  Fleet fleet(Watched(server->port(), MemberKind::kOpenAi));
  const auto watch = MemberWatch::Start(fleet);
  EXPECT_TRUE(WaitFor(fleet, [](const Member& member) {
    return member.state->load.running == 7 && member.state->abilities.resume == Known::kNo;
  }));
  const MemberState& state = *fleet.snapshot()->members[0].state;
  EXPECT_EQ(state.models.at(0).name, "org/m");
  EXPECT_EQ(state.abilities.token_ids, Known::kYes);
  EXPECT_EQ(state.abilities.token_prompts, Known::kNo);
  EXPECT_EQ(state.abilities.continuation, Known::kYes);
}

TEST(MemberWatch, AServerThatHangsIsLost) {
  std::vector<std::shared_ptr<net::HttpResponder>> waiting;
  auto server = net::HttpServer::Start(
      {}, [&](net::HttpRequest, auto responder) { waiting.push_back(std::move(responder)); });
  FleetConfig config = Watched((*server)->port(), MemberKind::kSwitchyard);
  config.watch.timeout = milliseconds(100);
  Fleet fleet(config);
  const auto watch = MemberWatch::Start(fleet);
  EXPECT_TRUE(WaitFor(fleet, [](const Member& member) { return member.state->is_lost; }));
  EXPECT_THAT(fleet.snapshot()->members[0].state->trouble, testing::HasSubstr("within 100 ms"));
}

}  // namespace
}  // namespace switchyard::gateway
