#include "tests/support/sample_certificate.h"

#include <array>
#include <cmath>

namespace switchyard::certify {
namespace {

struct Scenario {
  const char* name;
  bool is_prefill;
  std::int64_t sequences;
  std::int64_t step_tokens;
  std::int64_t context;
  std::int64_t positions;
  double median_kl;
};

constexpr std::array kScenarios = {
    Scenario{"prefill, one sequence", true, 1, 512, 1024, 2048, 3e-6},
    Scenario{"prefill, 16 sequences of uneven lengths", true, 16, 1024, 611, 4096, 4e-6},
    Scenario{"prefill in chunks with a cached prefix", true, 1, 128, 1536, 1536, 3.5e-6},
    Scenario{"decode, batch of one", false, 1, 1, 256, 256, 5e-6},
    Scenario{"decode, batch of 16", false, 16, 16, 512, 1024, 6e-6},
    Scenario{"decode, long context, batch of one", false, 1, 1, 4000, 64, 1.4e-5},
};

// Quantiles as of a log-normal distribution, roughly.
Divergence MakeDivergence(const Scenario& scenario, double factor) {
  Divergence divergence;
  divergence.scenario = scenario.name;
  divergence.is_prefill = scenario.is_prefill;
  divergence.sequences = scenario.sequences;
  divergence.step_tokens = scenario.step_tokens;
  divergence.context = scenario.context;
  divergence.positions = scenario.positions;
  const double median = scenario.median_kl * factor;
  for (int i = 0; i <= 20; ++i) {
    const double p = std::min(std::max(i / 20.0, 0.001), 0.999);
    divergence.kl_quantiles.push_back(median * std::pow(p / (1 - p), 0.6));
  }
  divergence.mean_kl = median * 1.9;
  divergence.p99_kl = median * 15.7;
  divergence.worst_kl = divergence.kl_quantiles.back();
  divergence.same_best = 1 - std::min(0.4, std::sqrt(median) * 0.8);
  if (scenario.is_prefill) {
    divergence.perplexity_a = 14.2718;
    divergence.perplexity_b = 14.2718 * (1 + divergence.mean_kl / 3);
  }
  return divergence;
}

SideFingerprint MakeSide(const char* chip, const char* device, const char* architecture,
                         char digit) {
  return {.chip = chip,
          .index = 0,
          .plugin_sha256 = std::string(64, digit),
          .device = device,
          .maker = "Example Silicon",
          .architecture = architecture,
          .proof = "run on silicon",
          .units = 2,
          .options = {"threads=2"}};
}

Certificate Make(double factor) {
  Certificate certificate;
  certificate.fingerprint = {
      .model = {"smollm2-135m-instruct", std::string(64, 'c'), "llama", "q4_1, q8_0, f32", "f16"},
      .a = MakeSide("reference", "Plain arithmetic", "portable", 'a'),
      .b = MakeSide("example", "Example Accelerator 7", "tiles of 16, driver 5.2.1", 'b'),
      .machine = {"Example Processor 9000 @ 2.60GHz", 2, 8'318'390'272,
                  "Debian GNU/Linux 12, 6.1.0", std::string(64, 'd')},
      .program = "0.1.0"};
  certificate.issued = "2026-11-22T09:30:00Z";
  certificate.expires = "2027-02-20T09:30:00Z";
  certificate.operands = "f16";
  certificate.load_report =
      "example lacks rms_norm of width 576; reference runs it: 61 of 1,093 steps\n"
      "weights of type q4_1 are repacked: 79 MiB in 0.3 s";
  certificate.kl_bounds = {.mean = 1e-3, .p99 = 1e-2, .worst = 0.5};
  for (const Scenario& scenario : kScenarios) {
    certificate.divergences.push_back(MakeDivergence(scenario, factor));
  }
  const std::array prompts = {"a letter", "count to forty", "explain rainbows",
                              "a function in Python", "translate to French"};
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    GreedyText text{prompts[i], 128, {}, 0};
    if (i == 2 || factor > 100)
      text.first_difference = factor > 100 ? 3 + 9 * static_cast<int>(i) : 97;
    if (text.first_difference) text.gap = factor > 100 ? 0.8 : 0.0021;
    certificate.greedy.push_back(text);
  }
  for (int layer = 0; layer < 30; ++layer) {
    const double fault = factor > 100 && layer >= 17 ? 3e3 : 1;
    certificate.drift.push_back(
        {layer, fault * 2e-8 * std::pow(1.13, layer) * (1 + 0.25 * std::sin(layer * 1.7))});
  }
  certificate.operations = {
      {"linear", "q4_1", 5880, factor > 100 ? 12 : 0, 0, 3.1e-6, factor > 100 ? 41.0 : 0.62,
       "products of f16 operands, summed in f32 over 576 to 1536"},
      {"linear", "q8_0", 28, 0, 0, 8.8e-7, 0.41,
       "products of f16 operands, summed in f32 over 576"},
      {"rms_norm", "f32", 1708, 0, 1708, 0, 0, "runs on the reference"},
      {"attention", "", 840, 0, 0, 1.9e-7, 0.33, "softmax in f32 over f16 keys and values"},
      {"rope", "", 1680, 0, 0, 2.0e-14, 0.2, "one rounding to f32"},
      {"silu_mul", "", 840, 0, 0, 3.4e-14, 0.27, "exp within 4 ulp"},
  };
  certificate.soak = {
      .steps = 20000, .seconds = 412.5, .changed = 0, .worst_kl = 0, .first_excess = {}};
  certificate.efficiency.memory_gb_s = 20.4;
  certificate.efficiency.gflop_s = {{"f16", 118.0}, {"f32", 61.0}, {"i8", 302.5}};
  certificate.efficiency.phases = {{"prefill 512", 412.0, 0.37, "i8 arithmetic"},
                                   {"decode at depth 0", 118.2, 0.71, "memory"},
                                   {"decode at depth 4096", 61.9, 0.55, "memory"}};
  certificate.efficiency.costs = {
      {"prefill 512", "linear", "[512, 576] x [1536, 576] q4_1", 60, 402.1, 0.324, 0.42,
       "i8 arithmetic", 0.154, false},
      {"prefill 512", "linear", "[512, 1536] x [576, 1536] q4_1", 30, 291.3, 0.235, 0.28,
       "i8 arithmetic", 0.153, false},
      {"prefill 512", "attention", "[512, 9, 64] over 512", 30, 268.8, 0.216, 0.19,
       "f16 arithmetic", 0.165, false},
      {"prefill 512", "rms_norm", "[512, 576]", 61, 91.0, 0.073, 0, "", 0, true},
      {"decode at depth 0", "linear", "[1, 576] x [49152, 576] q8_0", 1, 1.74, 0.206, 0.86,
       "memory", 0, false},
      {"decode at depth 0", "linear", "[1, 576] x [1536, 576] q4_1", 60, 3.21, 0.379, 0.73,
       "memory", 0.033, false},
      {"decode at depth 0", "silu_mul", "[1, 1536]", 30, 0.28, 0.033, 0.09, "memory", 0.029,
       false}};
  certificate.verdict = {
      .is_equivalent = true,
      .checks = {{"mean KL", "2.7e-05 nats", "at most 1e-03 nats", true},
                 {"KL of the 99th of 100 positions", "2.2e-04 nats", "at most 1e-02 nats", true},
                 {"worst KL", "8.8e-04 nats", "at most 0.5 nats", true},
                 {"perplexity", "14.2719 against 14.2718", "within 0.5 %", true},
                 {"same most likely token", "99.9 %", "at least 99 %", true},
                 {"greedy texts", "first difference at a gap of 0.0021", "only at gaps below 0.1",
                  true},
                 {"operations out of tolerance", "0 of 10,976", "none", true},
                 {"soak of 20,000 steps", "0 changed", "worst KL at most 1e-03 nats", true}},
      .guilty = {},
      .sentence =
          "In 6 scenarios and 10,976 operations the chip example kept every bound against "
          "reference."};
  return certificate;
}

}  // namespace

Certificate SampleCertificate() { return Make(1); }

Certificate SampleRefusal() {
  Certificate certificate = Make(2000);
  certificate.soak.changed = 3;
  certificate.soak.worst_kl = 0.012;
  certificate.soak.first_excess = 8713;
  certificate.excesses = {
      {"prefill of 512 tokens in 1 sequence", 17, "linear", "blk.17.ffn_down.weight",
       "[512, 1536] x [576, 1536] q4_1", "NMSE 2.1e-03 is 41 times the tolerance of 5.1e-05"},
      {"decode of 1 token in 1 sequence", 17, "linear", "blk.17.ffn_down.weight",
       "[1, 1536] x [576, 1536] q4_1", "NMSE 1.9e-03 is 37 times the tolerance of 5.1e-05"}};
  certificate.verdict.is_equivalent = false;
  certificate.verdict.guilty = {"linear blk.17.ffn_down.weight (q4_1) of layer 17"};
  certificate.verdict.sentence =
      "Given the same inputs, one operation of the chip example lies outside its tolerance, and "
      "the "
      "logits lie too far from those of reference.";
  for (const std::size_t i : {0U, 1U, 2U, 4U, 5U, 6U, 7U}) {
    certificate.verdict.checks[i].is_kept = false;
  }
  return certificate;
}

}  // namespace switchyard::certify
