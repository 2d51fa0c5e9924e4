#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/request_log.h"

namespace switchyard::server {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, HaveVllmsNames) {
  Metrics metrics;
  metrics.CountEnd(Outcome::kLength);
  metrics.CountHttp(429);
  engine::ServiceStatus status;
  status.running = 3;
  status.waiting = 4;
  status.kv_pages = 8;
  status.kv_pages_in_use = 2;
  status.prompt_tokens = 100;
  status.kv_page_tokens = 32;
  const std::string text = metrics.Render(status, "a\"b", {{"chipname", "a device", 2}}, true);
  for (const char* line :
       {"vllm:num_requests_running{model_name=\"a\\\"b\",engine=\"0\"} 3\n",
        "vllm:num_requests_waiting{",
        "vllm:kv_cache_usage_perc{model_name=\"a\\\"b\",engine=\"0\"} 0.25\n",
        "vllm:gpu_cache_usage_perc{",
        "vllm:prompt_tokens_total{model_name=\"a\\\"b\",engine=\"0\"} 100\n",
        "vllm:generation_tokens_total{",
        "finished_reason=\"length\"} 1\n", "vllm:time_to_first_token_seconds_bucket{",
        "vllm:inter_token_latency_seconds_count{", "vllm:time_per_output_token_seconds_sum{",
        "vllm:e2e_request_latency_seconds_count{",
        "vllm:request_time_per_output_token_seconds_sum{",
        "vllm:request_inference_time_seconds_count{",
        "block_size=\"32\",num_gpu_blocks=\"8\"} 1\n",
        "chip=\"chipname\",replica=\"0\",device=\"a device\"} 1\n",
        "switchyard_fallback_operations{model_name=\"a\\\"b\",engine=\"0\",chip=\"chipname\","
        "replica=\"0\"} 2\n",
        "status=\"429\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(Metrics, TellOfFallbacksThatCameUpLater) {
  engine::ServiceStatus status;
  status.replicas = {{.fallback_operations = 5}, {.fallback_operations = 0}};
  const std::string text = Metrics().Render(status, "m", {{"a", "x", 2}, {"b", "y", 3}}, true);
  EXPECT_THAT(text, HasSubstr("chip=\"a\",replica=\"0\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("chip=\"b\",replica=\"1\"} 3\n"));
}

TEST(Metrics, TellOfLostChipsAndOfTheShareOfTheCeiling) {
  engine::ServiceStatus status;
  // 100 steps of 1 MB and 1000 tokens of 1 kB in 0.1 s: 1.01 GB/s of 4.
  status.replicas = {{.decode_steps = 100, .decode_cached_tokens = 1000, .decode_s = 0.1},
                     {.is_lost = true, .requests_moved = 7}};
  const std::vector<ServingChip> chips = {{"a", "x", 0, 1e6, 1e3, 4.0},
                                          {"a", "y", 0, 1e6, 1e3, {}}};
  const std::string text = Metrics().Render(status, "m", chips, true);
  const auto line = [](std::string_view name, int replica, std::string_view value) {
    return fmt::format("{}{{model_name=\"m\",engine=\"0\",chip=\"a\",replica=\"{}\"}} {}\n", name,
                       replica, value);
  };
  EXPECT_THAT(text, HasSubstr(line("switchyard_chip_up", 0, "1")));
  EXPECT_THAT(text, HasSubstr(line("switchyard_chip_up", 1, "0")));
  EXPECT_THAT(text, HasSubstr(line("switchyard_chip_lost_total", 1, "1")));
  EXPECT_THAT(text, HasSubstr(line("switchyard_requests_moved_total", 1, "7")));
  EXPECT_THAT(text, HasSubstr(line("switchyard_decode_read_bytes_total", 0, "101000000")));
  EXPECT_THAT(text, HasSubstr(line("switchyard_ceiling_share", 0, "0.2525")));
  EXPECT_THAT(text, Not(HasSubstr("switchyard_ceiling_share{model_name=\"m\",engine=\"0\","
                                  "chip=\"a\",replica=\"1\"")));
}

TEST(RequestLog, IsOneLineWhateverTheClientSends) {
  RequestLine line;
  line.id = "a\nb=\"c\"";
  line.path = "/v1 /x";
  line.status = 200;
  line.choices = 2;
  const std::string text = base::ToText(ToRecord(line), base::LogFormat::kLogfmt, {});
  EXPECT_THAT(text, Not(HasSubstr("\n")));
  EXPECT_THAT(text, HasSubstr(" id=a_b__c_ "));
  EXPECT_THAT(text, HasSubstr(" path=/v1_/x "));
  EXPECT_THAT(text, HasSubstr(" choices=2 "));
}

}  // namespace
}  // namespace switchyard::server
