#include "gateway/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/internal/member_verdict.h"
#include "tests/support/raw_client.h"

namespace switchyard::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Responder = std::shared_ptr<net::HttpResponder>;
// What a member does with its first request, its second, and so on; the last also with those to
// come.
using Turns = std::vector<std::function<void(const Responder&)>>;

std::string Event(std::string_view data) { return fmt::format("data: {}\n\n", data); }

// A chunk with that in its one choice.
std::string Said(std::string_view choice) {
  return Event(fmt::format(R"({{"id":"x","created":1,"model":"m","choices":[{{{}}}]}})", choice));
}
std::string Word(std::string_view text, int id) {
  return Said(fmt::format(R"("index":0,"delta":{{"content":"{}"}},"token_ids":[{}])", text, id));
}
const std::string kEnd = Said(R"("index":0,"delta":{},"finish_reason":"stop")") + Event("[DONE]");
const std::string kOpening =
    Event(R"({"id":"x","created":1,"model":"m","prompt_token_ids":[7,8],)"
          R"("choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})");

// The events, and then the end, a broken connection, or nothing more.
auto Tells(std::string events) {
  return [events](const Responder& responder) {
    responder->BeginStream({.content_type = "text/event-stream"});
    responder->Write(events);
    responder->EndStream();
  };
}
auto Breaks(std::string events) {
  return [events](const Responder& responder) {
    responder->BeginStream({.content_type = "text/event-stream"});
    responder->Write(events);
    responder->After(std::chrono::milliseconds(20), [responder] { responder->Abort(); });
  };
}
auto Refuses(int status, std::string body) {
  return [=](const Responder& responder) { responder->Respond({.status = status, .body = body}); };
}

class ExchangeTest : public testing::Test {
 protected:
  // In the order in which they are asked where nothing speaks against it.
  void Add(const std::string& name, MemberKind kind, Turns turns) {
    auto server = net::HttpServer::Start(
        {}, [this, name, turns](net::HttpRequest request, const Responder& responder) {
          std::size_t turn = 0;
          {
            const std::lock_guard lock(mutex_);
            turn = asked_[name].size();
            asked_[name].push_back(std::move(request.body));
            held_.push_back(responder);
          }
          turns[std::min(turn, turns.size() - 1)](responder);
        });
    ASSERT_TRUE(server) << server.error().message;
    config_.members.push_back({.name = name,
                               .url = fmt::format("http://127.0.0.1:{}", (*server)->port()),
                               .kind = kind,
                               .models = {{.name = "m", .upstream = "m"}}});
    servers_.push_back(std::move(*server));
  }

  void Start(std::string_view keys = {}) {
    config_.policy.certificates = policy::CertificateDemand::kNone;
    fleet_.emplace(config_);
    for (const MemberConfig& member : config_.members) {
      MemberState state{.is_heard_of = true};
      if (member.kind == MemberKind::kSwitchyard) state.abilities = kOurAbilities;
      fleet_->Update(member.name, state);
    }
    GatewayOptions options;
    options.listen.port = 0;
    if (!keys.empty()) options.keys = *access::ApiKeys::Parse(keys);
    options.log = [this](const base::LogRecord& record) {
      const std::lock_guard lock(mutex_);
      log_ += base::ToText(record, base::LogFormat::kLogfmt, {}) + "\n";
    };
    auto started = gateway::Gateway::Start(std::move(options), *fleet_);
    ASSERT_TRUE(started) << started.error().message;
    gateway_ = std::move(*started);
  }

  std::string Ask(std::string_view fields, std::string_view path = "/v1/chat/completions") {
    const std::string body = fmt::format(R"({{"model":"m"{}}})", fields);
    net::RawClient client(gateway_->port());
    client.Send(
        fmt::format("POST {} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k\r\n"
                    "Connection: close\r\nContent-Length: {}\r\n\r\n{}",
                    path, body.size(), body));
    return client.ReadAll();
  }

  std::string Log() {
    const std::lock_guard lock(mutex_);
    return log_;
  }

  std::string Asked(const std::string& name, std::size_t turn) {
    const std::lock_guard lock(mutex_);
    return turn < asked_[name].size() ? asked_[name][turn] : std::string();
  }

  void TearDown() override {
    gateway_.reset();
    servers_.clear();
    held_.clear();
  }

  FleetConfig config_;
  std::optional<Fleet> fleet_;
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> asked_;  // bodies, by member
  std::vector<Responder> held_;
  std::string log_;
};

std::size_t Count(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

constexpr std::string_view kStream = R"(,"stream":true)";
constexpr std::string_view kStreamAndUsage =
    R"(,"stream":true,"stream_options":{"include_usage":true})";

TEST_F(ExchangeTest, GivesNothingOfAChunkThatItDoesNotUnderstand) {
  Add("a", MemberKind::kSwitchyard,
      {Breaks(Event(R"({"choices":[{"index":0,"delta":{"content":"wrong"},"token_ids":[1]},)"
                    R"({"index":9}]})"))});
  Add("b", MemberKind::kSwitchyard, {Tells(kOpening + Word("right", 1) + kEnd)});
  Start();
  const std::string answer = Ask(kStream);
  EXPECT_THAT(answer, testing::AllOf(HasSubstr("right"), HasSubstr("[DONE]"),
                                     Not(HasSubstr("wrong")), Not(HasSubstr("handover"))));
}

TEST_F(ExchangeTest, PutsTogetherOddLogprobs) {
  Add("a", MemberKind::kSwitchyard,
      {Tells(
          kOpening +
          Said(R"("index":0,"delta":{"content":"a"},"token_ids":[1],"logprobs":{"content":"x"})") +
          Said(R"("index":0,"delta":{"content":"b"},"token_ids":[2],"logprobs":{"content":[{}]})") +
          kEnd)});
  Start();
  EXPECT_THAT(Ask(R"(,"logprobs":true)"),
              testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(R"("content":"ab")")));
}

// Who began goes on from its tokens, though another one was to repeat them meanwhile and did not.
TEST_F(ExchangeTest, GoesOnFromTokensAfterARepetitionThatFailed) {
  Add("a", MemberKind::kSwitchyard,
      {Breaks(kOpening + Word("one ", 1) + Word("two ", 2)), Tells(Word("three", 3) + kEnd)});
  Add("b", MemberKind::kOpenAi, {Refuses(500, "{}")});
  Start();
  const std::string answer = Ask(kStream);
  EXPECT_THAT(Asked("a", 1), HasSubstr(R"("prompt_token_ids":[7,8])"));
  EXPECT_THAT(Asked("a", 1), HasSubstr(R"({"index":0,"token_ids":[1,2]})"));
  EXPECT_THAT(answer, testing::AllOf(HasSubstr("three"), HasSubstr("[DONE]"),
                                     HasSubstr("handover level=1")));
}

// Nothing counts that a member said of whom the client has nothing.
TEST_F(ExchangeTest, ForgetsMembersThatGaveNothing) {
  const std::string usage = Event(R"({"choices":[],"usage":{"prompt_tokens":1}})");
  Add("a", MemberKind::kOpenAi,
      {Breaks(usage + Said(R"("index":0,"delta":{"role":"assistant"})")), Refuses(500, "{}")});
  Add("b", MemberKind::kSwitchyard,
      {Breaks(kOpening + Word("one ", 1)), Tells(Word("two", 2) + usage + kEnd)});
  Start();
  const std::string answer = Ask(kStreamAndUsage);
  EXPECT_THAT(Asked("b", 1), HasSubstr(R"("prompt_token_ids":[7,8])"));
  EXPECT_THAT(Asked("b", 1), HasSubstr(R"({"index":0,"token_ids":[1]})"));
  EXPECT_THAT(answer, HasSubstr("[DONE]"));
  EXPECT_EQ(Count(answer, "\"usage\":{"), 1U);
}

TEST_F(ExchangeTest, WhoTakesTheFirstsPlaceIsHeardAlone) {
  const std::string usage = Event(R"({"choices":[],"usage":{"prompt_tokens":1}})");
  config_.hedge = {.is_on = true, .delay_ms = 20, .share = 1};
  Add("a", MemberKind::kSwitchyard, {[usage](const Responder& responder) {
        responder->BeginStream({.content_type = "text/event-stream"});
        responder->Write(usage);
      }});
  Add("b", MemberKind::kSwitchyard, {Tells(kOpening + Word("one", 1) + usage + kEnd)});
  Start();
  const std::string answer = Ask(kStreamAndUsage);
  EXPECT_THAT(answer, testing::AllOf(HasSubstr("one"), HasSubstr("[DONE]"),
                                     HasSubstr("x-switchyard-hedge: from=a to=b")));
  EXPECT_EQ(Count(answer, "\"usage\":{"), 1U);
}

TEST_F(ExchangeTest, AnEndpointThatNobodyHasIsNoFaultOfMembers) {
  config_.breaker.failures = 2;
  const std::string chat = R"({"choices":[{"index":0,"message":{"content":"hi"}}]})";
  for (const std::string name : {"a", "b"}) {
    Add(name, MemberKind::kOpenAi,
        {Refuses(404, R"({"detail":"Not Found"})"), Refuses(405, "{}"), Refuses(501, R"({"e":1})"),
         Refuses(404, R"({"detail":"Not Found"})"), Refuses(200, chat)});
  }
  Start();
  EXPECT_THAT(Ask("", "/v1/embeddings"),
              testing::AllOf(StartsWith("HTTP/1.1 404"), HasSubstr(R"({"detail":"Not Found"})")));
  EXPECT_THAT(Ask("", "/v1/embeddings"), StartsWith("HTTP/1.1 405"));
  EXPECT_THAT(Ask("", "/tokenize"),
              testing::AllOf(StartsWith("HTTP/1.1 501"), HasSubstr(R"({"e":1})")));
  EXPECT_THAT(Ask("", "/detokenize"), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(Ask(""), testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("hi")));
}

TEST_F(ExchangeTest, AnEndpointThatOneLacksIsAskedForElsewhere) {
  Add("a", MemberKind::kOpenAi, {Refuses(404, R"({"detail":"Not Found"})")});
  Add("b", MemberKind::kOpenAi, {Refuses(200, R"({"data":[]})")});
  Start();
  EXPECT_THAT(Ask("", "/v1/embeddings"), StartsWith("HTTP/1.1 200"));
}

// Where the fleet took a member for having a model, that it has not is the member's fault.
TEST(MemberVerdict, TellsAMissingModelFromAMissingEndpoint) {
  const auto cause = [](int status, std::string_view body) {
    return internal::OfStatus({.status = status, .headers = {}}, body).cause;
  };
  EXPECT_EQ(cause(404, R"({"error":{"message":"File Not Found","code":404}})"),
            FailureCause::kNotServed);
  EXPECT_EQ(cause(404, ""), FailureCause::kNotServed);
  EXPECT_EQ(cause(405, "{}"), FailureCause::kNotServed);
  EXPECT_EQ(cause(501, "{}"), FailureCause::kNotServed);
  EXPECT_EQ(cause(404, R"({"object":"error","message":"The model `m` does not exist."})"),
            FailureCause::kServerError);
  EXPECT_EQ(cause(404, R"({"error":{"code":"model_not_found"}})"), FailureCause::kServerError);
  EXPECT_EQ(cause(500, "{}"), FailureCause::kServerError);
  EXPECT_EQ(cause(400, "{}"), std::nullopt);
}

TEST_F(ExchangeTest, WholeAnswersCountAgainstTheirKey) {
  const std::string whole = R"({"choices":[],"usage":{"prompt_tokens":-3,"completion_tokens":90}})";
  const std::string hostile =
      R"({"choices":[],"usage":{"prompt_tokens":9223372036854775807,"completion_tokens":-5}})";
  Add("a", MemberKind::kOpenAi, {Refuses(200, hostile), Refuses(200, whole)});
  Start("k name=me tokens_per_minute=100\n");
  EXPECT_THAT(Ask(""), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(""), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(R"(,"max_tokens":20)"), StartsWith("HTTP/1.1 429"));
  EXPECT_THAT(Log(),
              testing::AllOf(HasSubstr("completion_tokens=0"), HasSubstr("completion_tokens=90")));
}

TEST_F(ExchangeTest, ALimitBeyondAllNumbersReservesAllThatAKeyHas) {
  Add("a", MemberKind::kOpenAi, {Refuses(200, R"({"choices":[]})")});
  Start("k name=me tokens_per_minute=1000\n");
  EXPECT_THAT(Ask(R"(,"n":2,"max_tokens":9223372036854775807)"),
              HasSubstr("x-ratelimit-remaining-tokens: 0\r\n"));
}

// An event's data may have several lines; what a client gets has one, and nothing is lost of it.
TEST_F(ExchangeTest, TellsDataOfSeveralLinesInOne) {
  Add("a", MemberKind::kOpenAi,
      {Tells("data: {\"choices\":\ndata: [{\"index\":0,\ndata: "
             "\"delta\":{\"content\":\"one\"}}]}\n\n" +
             std::string("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\n"
                         "data: data: [DONE]\ndata: \"}}]}\n\n") +
             kEnd)});
  Start();
  const std::string answer = Ask(kStream);
  EXPECT_THAT(answer,
              HasSubstr("data: {\"choices\": [{\"index\":0, \"delta\":{\"content\":\"one\"}}]}"
                        "\n\n"));
  EXPECT_EQ(Count(answer, "[DONE]"), 1U);
}

}  // namespace
}  // namespace switchyard::gateway
