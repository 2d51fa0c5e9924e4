#include "server/metrics.h"

#include <fmt/format.h>

#include "base/metric_text.h"
#include "server/chip_metrics.h"

namespace switchyard::server {
namespace {

// vLLM's buckets (vllm/v1/metrics/loggers.py).
constexpr auto kFirstToken =
    std::to_array({0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1,  0.25,  0.5,   0.75,
                   1.0,   2.5,   5.0,  7.5,  10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0});
constexpr auto kPerToken = std::to_array({0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                          0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0});
constexpr auto kRequest =
    std::to_array({0.3,  0.5,  0.8,  1.0,  1.5,   2.0,   2.5,   5.0,   10.0,   15.0,  20.0,
                   30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0});
constexpr auto kTokens =
    std::to_array({1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0,
                   10000.0, 20000.0, 50000.0, 100000.0});

template <typename T>
std::string One(std::string_view name, std::string_view type, std::string_view help,
                std::string_view labels, T value) {
  return fmt::format("{}{}{{{}}} {}\n", base::MetricHead(name, type, help), name, labels, value);
}

}  // namespace

std::string_view OutcomeName(Outcome outcome) {
  static constexpr std::array<std::string_view, kOutcomes> kNames = {"stop", "length", "abort",
                                                                     "error"};
  return kNames[static_cast<std::size_t>(outcome)];
}

Metrics::Metrics()
    : time_to_first_token_s(kFirstToken),
      time_per_output_token_s(kPerToken),
      inter_token_latency_s(kPerToken),
      e2e_latency_s(kRequest),
      queue_time_s(kRequest),
      prefill_time_s(kRequest),
      inference_time_s(kRequest),
      decode_time_s(kRequest),
      prompt_tokens(kTokens),
      generation_tokens(kTokens) {}

std::string Metrics::Render(const engine::ServiceStatus& status, std::string_view model,
                            const std::vector<ServingChip>& chips, bool ready) const {
  const std::string labels = fmt::format("model_name=\"{}\",engine=\"0\"", base::LabelText(model));
  const double usage = status.kv_pages > 0 ? static_cast<double>(status.kv_pages_in_use) /
                                                 static_cast<double>(status.kv_pages)
                                           : 0.0;
  std::string text;
  text +=
      One("vllm:num_requests_running", "gauge", "Requests in the batch.", labels, status.running);
  text += One("vllm:num_requests_waiting", "gauge", "Requests that wait.", labels, status.waiting);
  text += One("vllm:kv_cache_usage_perc", "gauge", "KV pages in use, 1 is all.", labels, usage);
  text +=
      One("vllm:gpu_cache_usage_perc", "gauge", "The same under its older name.", labels, usage);
  text += One("vllm:cache_config_info", "gauge", "The KV cache.",
              fmt::format("{},block_size=\"{}\",num_gpu_blocks=\"{}\"", labels,
                          status.kv_page_tokens, status.kv_pages),
              1);
  text +=
      One("vllm:prompt_tokens_total", "counter", "Prompt tokens.", labels, status.prompt_tokens);
  text += One("vllm:generation_tokens_total", "counter", "Tokens of answers.", labels,
              status.completion_tokens);
  text += One("vllm:prefix_cache_queries_total", "counter", "Prompt tokens that were looked up.",
              labels, status.prompt_tokens);
  text += One("vllm:prefix_cache_hits_total", "counter", "Of them, found in the prefix cache.",
              labels, status.cached_prompt_tokens);
  text += One("vllm:num_preemptions_total", "counter", "Requests that were put back.", labels,
              status.preemptions);
  text += base::MetricHead("vllm:request_success_total", "counter", "Answers by how they ended.");
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    text += fmt::format("vllm:request_success_total{{{},finished_reason=\"{}\"}} {}\n", labels,
                        OutcomeName(static_cast<Outcome>(i)), outcomes_[i].load());
  }
  text += time_to_first_token_s.Render("vllm:time_to_first_token_seconds",
                                       "From a request's arrival to its first token.", labels);
  text += inter_token_latency_s.Render("vllm:inter_token_latency_seconds",
                                       "Between two parts of an answer.", labels);
  text += inter_token_latency_s.Render("vllm:time_per_output_token_seconds",
                                       "The same under its older name.", labels);
  text += time_per_output_token_s.Render("vllm:request_time_per_output_token_seconds",
                                         "A request's mean time by token after the first.", labels);
  text += e2e_latency_s.Render("vllm:e2e_request_latency_seconds",
                               "From a request's arrival to its end.", labels);
  text += queue_time_s.Render("vllm:request_queue_time_seconds", "Time spent waiting.", labels);
  text += prefill_time_s.Render("vllm:request_prefill_time_seconds", "Time in prefill.", labels);
  text += inference_time_s.Render("vllm:request_inference_time_seconds",
                                  "Time in prefill and decode.", labels);
  text += decode_time_s.Render("vllm:request_decode_time_seconds", "Time in decode.", labels);
  text += prompt_tokens.Render("vllm:request_prompt_tokens", "Prompt tokens of a request.", labels);
  text +=
      generation_tokens.Render("vllm:request_generation_tokens", "Tokens of an answer.", labels);
  text += One("switchyard_ready", "gauge", "1: requests are admitted.", labels, ready ? 1 : 0);
  text += One("switchyard_steps_total", "counter", "Steps of the engine.", labels, status.steps);
  text += One("switchyard_kv_pages", "gauge", "KV pages in all.", labels, status.kv_pages);
  text += One("switchyard_kv_pages_cached", "gauge", "KV pages that only the prefix cache holds.",
              labels, status.kv_pages_cached);
  text += One("switchyard_planned_programs", "gauge", "Programs kept for shapes of steps.", labels,
              status.planned_programs);
  text += One("switchyard_kv_tokens_exported_total", "counter",
              "Tokens whose KV pages another member got.", labels, kv_tokens_exported.load());
  text += One("switchyard_kv_tokens_imported_total", "counter",
              "Tokens whose KV pages came from another member.", labels,
              kv_tokens_imported.load());
  text += RenderChips(status.replicas, chips, labels);
  text += base::MetricHead("switchyard_http_responses_total", "counter",
                           "Answers by HTTP status.");
  for (std::size_t status_code = 0; status_code < http_.size(); ++status_code) {
    const std::uint64_t count = http_[status_code].load();
    if (count == 0) continue;
    text += fmt::format("switchyard_http_responses_total{{{},status=\"{}\"}} {}\n", labels,
                        status_code, count);
  }
  return text;
}

}  // namespace switchyard::server
