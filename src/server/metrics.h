// What GET /metrics tells, under vLLM's names, so that its dashboards and the gateways that read
// them work; ours begin with switchyard_. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"
#include "engine/completion_service.h"
#include "server/chip_certificate.h"

namespace switchyard::server {

// How one choice of an answer ended.
enum class Outcome : std::uint8_t { kStop, kLength, kAbort, kError };
inline constexpr std::size_t kOutcomes = 4;

std::string_view OutcomeName(Outcome outcome);

// A chip that serves, as the operator should see it.
struct ServingChip {
  std::string name;
  std::string device;
  std::uint64_t fallback_operations = 0;  // of one step, that run on the reference instead
  // What a step of decoding reads: the weights, and for each token in the cache.
  double weight_bytes = 0;
  double kv_bytes_per_token = 0;
  std::optional<double> memory_gb_s = {};  // its ceiling, where it could be measured
  std::string maker = {};
  std::string code_path = {};  // and driver, in the chip's words
  std::string proof = {};      // "compiled", "run on emulator", "run on silicon"
  std::optional<ChipCertificate> certificate = {};
};

class Metrics {
 public:
  Metrics();

  void CountEnd(Outcome outcome) { ++outcomes_[static_cast<std::size_t>(outcome)]; }
  void CountHttp(int status) { ++http_[static_cast<std::size_t>(status) % 1000]; }

  // `status.replicas` and `chips` are of the same chips, in the same order.
  std::string Render(const engine::ServiceStatus& status, std::string_view model,
                     const std::vector<ServingChip>& chips, bool ready) const;

  std::atomic<std::uint64_t> kv_tokens_exported = 0;  // to other members
  std::atomic<std::uint64_t> kv_tokens_imported = 0;

  base::Histogram time_to_first_token_s;
  base::Histogram time_per_output_token_s;  // from the first token to the last, by token
  base::Histogram inter_token_latency_s;    // between two parts of an answer
  base::Histogram e2e_latency_s;
  base::Histogram queue_time_s;
  base::Histogram prefill_time_s;
  base::Histogram inference_time_s;  // prefill and decode
  base::Histogram decode_time_s;
  base::Histogram prompt_tokens;
  base::Histogram generation_tokens;

 private:
  std::array<std::atomic<std::uint64_t>, kOutcomes> outcomes_{};
  std::array<std::atomic<std::uint64_t>, 1000> http_{};  // by status
};

}  // namespace switchyard::server
