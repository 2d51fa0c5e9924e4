#include "gateway/member_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace switchyard::gateway {
namespace {

using testing::ElementsAre;

constexpr std::string_view kNow = "2026-11-29T03:54:12Z";

TEST(MemberReport, StateOfOurServer) {
  const auto state = ReadState(R"({
    "version": 1, "program": "0.5.0", "running": 3, "waiting": 2, "prefill_tokens": 700,
    "kv_pages": {"total": 200, "in_use": 50, "cached": 10},
    "recent": {"computed_tokens_per_s": 900.5, "completion_tokens_per_s": 80},
    "model": {"id": "m-135", "aliases": ["m"], "sha256": "ab", "vocabulary": 49152,
              "context_tokens": 8192},
    "drain": {"draining": false, "stopping": true},
    "deterministic": {"is_deterministic": true, "why": null},
    "replicas": [{"lost": false, "certificate": {"in_force": true, "against": "r"}},
                 {"lost": false, "certificate": {"in_force": false, "against": "r"}}]})",
                               kNow);
  ASSERT_TRUE(state) << state.error().message;
  EXPECT_TRUE(state->is_draining);
  EXPECT_EQ(state->load.running, 3);
  EXPECT_EQ(state->load.prefill_tokens, 700);
  EXPECT_DOUBLE_EQ(state->load.kv_share, 0.25);
  const ModelState& model = state->models.at(0);
  EXPECT_EQ(model.upstream, "m-135");
  EXPECT_THAT(model.aliases, ElementsAre("m"));
  EXPECT_TRUE(model.is_deterministic);
  EXPECT_EQ(model.certificate, policy::CertificateState::kExpired);  // the worst counts
  EXPECT_EQ(LevelOf(state->abilities), HandOverLevel::kTokens);
}

TEST(MemberReport, AStateThatIsNone) {
  for (const std::string_view text :
       {"", "[]", "{}", R"({"version": 2})", R"({"version": 1, "model": 5})",
        R"({"version": 1, "model": {"id": 7}})"}) {
    EXPECT_FALSE(ReadState(text, kNow)) << text;
  }
}

TEST(MemberReport, Models) {
  const auto models = ReadModels(R"({"object": "list", "data": [
    {"id": "a", "max_model_len": 4096}, {"id": 3}, 5,
    {"id": "b", "switchyard": {"certificates": [{"chip": "x", "in_force": true}]}}]})",
                                kNow);
  ASSERT_TRUE(models);
  ASSERT_EQ(models->size(), 2U);
  EXPECT_EQ(models->at(0).context_tokens, 4096);
  EXPECT_EQ(models->at(0).certificate, policy::CertificateState::kNone);
  EXPECT_EQ(models->at(1).certificate, policy::CertificateState::kInForce);
  EXPECT_FALSE(ReadModels("{}", kNow));
}

// The member's clock may be behind.
TEST(MemberReport, ACertificateThatIsOverHereIsNotInForce) {
  const auto state_at = [](std::string_view now) {
    const auto models = ReadModels(R"({"data": [{"id": "b", "switchyard": {"certificates": [
        {"in_force": true, "against": "r", "expires": "2026-11-30T00:00:00Z"}]}}]})",
                                   now);
    return models->at(0).certificate;
  };
  EXPECT_EQ(state_at("2026-11-30T00:00:00.000001Z"), policy::CertificateState::kInForce);
  EXPECT_EQ(state_at("2026-11-30T00:00:01.000001Z"), policy::CertificateState::kExpired);
}

TEST(MemberReport, Metrics) {
  const auto two_engines = ReadMetrics(
      "# TYPE vllm:num_requests_running gauge\n"
      "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 2.0\n"
      "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 3.0\n"
      "vllm:num_requests_waiting{engine=\"0\"} 1\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.5 1700000000\n");
  ASSERT_TRUE(two_engines);
  EXPECT_EQ(two_engines->running, 5);
  EXPECT_EQ(two_engines->waiting, 1);
  EXPECT_DOUBLE_EQ(two_engines->kv_share, 0.5);
  EXPECT_EQ(ReadMetrics("llamacpp:requests_deferred 4\r\n")->waiting, 4);
  EXPECT_EQ(ReadMetrics("sglang:num_queue_reqs{a=\"b\"} 6")->waiting, 6);
  EXPECT_FALSE(ReadMetrics("process_cpu_seconds_total 5\nvllm:num_requests_running nan\n"));
  EXPECT_FALSE(ReadMetrics(""));
}

RC_GTEST_PROP(MemberReportProperty, AnyTextIsRead, (const std::string& text)) {
  (void)ReadMetrics("vllm:num_requests_running" + text);
  (void)ReadState(text, kNow);
  (void)ReadModels(text, kNow);
}

}  // namespace
}  // namespace switchyard::gateway
