#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <future>

#include "base/json.h"
#include "net/http_server.h"
#include "server/trace_exporter.h"

namespace switchyard::server {
namespace {

using testing::HasSubstr;

TEST(Traceparent, IsReadAsW3cSays) {
  // The specification's own example.
  const auto context =
      ParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  ASSERT_TRUE(context);
  EXPECT_EQ(Hex(context->trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(Hex(context->parent), "b7ad6b7169203331");
  EXPECT_TRUE(context->is_sampled);
  EXPECT_FALSE(
      ParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")->is_sampled);
  EXPECT_TRUE(ParseTraceparent("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more"));
  for (const char* wrong :
       {"", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", "nonsense",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) {
    EXPECT_FALSE(ParseTraceparent(wrong)) << wrong;
  }
  EXPECT_NE(NewTraceId(), TraceId{});
  EXPECT_NE(NewSpanId(), NewSpanId());
}

TEST(Otlp, IsTheJsonOfProtocolBuffers) {
  Span span;
  span.context = *ParseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  span.id = {1, 2, 3, 4, 5, 6, 7, 8};
  span.name = "chat m";
  span.begin = std::chrono::system_clock::time_point(std::chrono::microseconds(1'500'000));
  span.end = span.begin + std::chrono::milliseconds(2);
  span.attributes = {{"a", std::string("text")},
                     {"b", std::int64_t{7}},
                     {"c", 0.5},
                     {"d", true},
                     {"e", std::vector<std::string>{"stop"}}};
  span.error = "it failed";
  const auto body = base::Json::parse(ToOtlpJson({&span, 1}, {{"service.name", "s"}}, "1.0"));
  const auto& resource = body["resourceSpans"][0];
  EXPECT_EQ(resource["resource"]["attributes"].dump(),
            R"([{"key":"service.name","value":{"stringValue":"s"}}])");
  const auto& scope = resource["scopeSpans"][0];
  EXPECT_EQ(scope["scope"].dump(), R"({"name":"switchyard","version":"1.0"})");
  EXPECT_EQ(scope["spans"][0].dump(),
            R"({"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"0102030405060708",)"
            R"("name":"chat m","kind":2,"startTimeUnixNano":"1500000000",)"
            R"("endTimeUnixNano":"1502000000","attributes":[)"
            R"({"key":"a","value":{"stringValue":"text"}},{"key":"b","value":{"intValue":"7"}},)"
            R"({"key":"c","value":{"doubleValue":0.5}},{"key":"d","value":{"boolValue":true}},)"
            R"({"key":"e","value":{"arrayValue":{"values":[{"stringValue":"stop"}]}}}],"flags":1,)"
            R"("parentSpanId":"b7ad6b7169203331","status":{"code":2,"message":"it failed"}})");
}

TEST(TraceExporter, KnowsWhereCollectorsListen) {
  for (const char* endpoint :
       {"http://h:4318", "http://h:4318/", "http://h:4318/v1/traces"}) {
    EXPECT_EQ(TracesUrl(endpoint), "http://h:4318/v1/traces");
  }
}

TEST(TraceExporter, SendsInBatchesAndDropsWhatWaitsTooLong) {
  std::promise<void> arrived;
  std::promise<void> go_on;
  std::atomic<int> posts = 0;
  std::atomic<std::size_t> spans = 0;
  auto collector = net::HttpServer::Start({}, [&](net::HttpRequest request, auto responder) {
    const auto body = base::Json::parse(request.body);
    spans += body["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
    if (posts++ == 0) {
      arrived.set_value();
      go_on.get_future().wait();
    }
    responder->Respond({.body = "{}"});
  });
  ASSERT_TRUE(collector);
  TraceExporterOptions options;
  options.url = fmt::format("http://127.0.0.1:{}/v1/traces", (*collector)->port());
  options.queue = 10;
  options.batch = 4;
  options.delay = std::chrono::milliseconds(10);
  {
    TraceExporter exporter(options);
    exporter.Export(std::vector<Span>(4));
    arrived.get_future().wait();
    // The collector holds the first batch: ten more may wait, the rest is dropped at once.
    for (int i = 0; i < 13; ++i) exporter.Export(std::vector<Span>(1));
    EXPECT_THAT(exporter.Render(), HasSubstr("switchyard_trace_spans_dropped_total 3\n"));
    go_on.set_value();
  }
  EXPECT_EQ(spans, 14U);
  EXPECT_GE(posts, 2);
  (*collector)->Stop();
}

TEST(TraceExporter, ACollectorThatIsNotThereIsToldOnce) {
  std::atomic<int> told = 0;
  TraceExporterOptions options;
  options.url = "http://127.0.0.1:9/v1/traces";
  options.batch = 1;
  options.log = [&told](const base::LogRecord&) { ++told; };
  {
    TraceExporter exporter(options);
    for (int i = 0; i < 5; ++i) exporter.Export(std::vector<Span>(1));
  }
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace switchyard::server
