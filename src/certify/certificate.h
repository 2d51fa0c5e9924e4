// What a certificate says: of a model on a chip B, held against the same model on a chip A. Plain
// values; equivalence.h, examination.h, soak.h and efficiency.h measure them, verdict.h judges
// them, certificate_json.h writes and reads them, page.h shows them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace switchyard::certify {

// ---- What was held against what: a certificate holds for exactly this ----

struct SideFingerprint {
  std::string chip;         // "opencl"
  std::uint32_t index = 0;  // which of the chip's devices
  std::string plugin_sha256;
  std::string device;  // as its maker calls it
  std::string maker;
  std::string architecture;  // the code path and driver, in the chip's words
  std::string proof;         // "compiled", "run on emulator", "run on silicon"
  std::uint32_t units = 0;
  std::vector<std::string> options;  // "threads=2"
};

struct MachineFingerprint {
  std::string processor;
  std::uint32_t cores = 0;
  std::uint64_t memory_bytes = 0;
  std::string system;  // the operating system and its kernel
  std::string id;      // a digest of what tells this machine from another of its kind
};

struct ModelFingerprint {
  std::string name;
  std::string sha256;  // of the file; of a folder, over its files' names and digests
  std::string architecture;
  std::string weight_types;  // "q4_1, q8_0, f32"
  std::string kv_type;
};

struct Fingerprint {
  ModelFingerprint model;
  SideFingerprint a;
  SideFingerprint b;
  MachineFingerprint machine;
  std::string program;  // Switchyard's version
};

// ---- Equivalence ----

// How far the logits of B lie from those of A, over the positions of one scenario. Both chips were
// given the same tokens. KL(A || B) is in nats over the whole vocabulary.
struct Divergence {
  std::string scenario;  // "decode, long context, batch of one"
  bool is_prefill = true;
  std::int64_t sequences = 1;    // at once
  std::int64_t step_tokens = 1;  // of the largest step
  std::int64_t context = 0;      // of the longest sequence
  std::int64_t positions = 0;    // compared
  double mean_kl = 0;
  double p99_kl = 0;
  double worst_kl = 0;
  double same_best = 1;  // share of positions with the same most likely token
  // Of the text's own next tokens; 0 where the scenario has none.
  double perplexity_a = 0;
  double perplexity_b = 0;
  // KL at the quantiles 0, 0.05, ... 1 of the positions.
  std::vector<double> kl_quantiles = {};
};

// What the divergences were held against, for the plots; 0: not bounded.
struct KlBounds {
  double mean = 0;
  double p99 = 0;
  double worst = 0;
};

struct GreedyText {
  std::string prompt;       // its name
  std::int64_t tokens = 0;  // that A gave
  // The first token in which B differs, and how far A's best logit lay above its second there.
  std::optional<std::int64_t> first_difference;
  double gap = 0;
};

// The residual stream after a layer of one whole prefill: B on its own intermediate results.
struct LayerDrift {
  std::int64_t layer = 0;
  double nmse = 0;  // mean of squared differences, over A's mean square
};

// ---- Operations one by one, each given A's inputs ----

struct OperationExcess {
  std::string step;         // "prefill of 1024 tokens in 16 sequences"
  std::int64_t layer = -1;  // -1: before the first layer or after the last
  std::string operation;    // "linear"
  std::string weight;       // its name; empty if it has none
  std::string shape;        // "[1024, 576] x [1536, 576] q4_1"
  std::string complaint;    // what is too far from what
};

// All operations of one kind and weight type.
struct OperationAgreement {
  std::string operation;
  std::string weight_type;  // empty if it has no weight
  std::int64_t compared = 0;
  std::int64_t exceeded = 0;
  std::int64_t on_fallback = 0;  // that B lacks: not B's answers
  double worst_nmse = 0;
  double worst_share = 0;  // of the tolerance that was taken; 1 is at the edge
  std::string reason;      // why the tolerance is what it is
};

// ---- The soak ----

struct Soak {
  std::int64_t steps = 0;  // decode steps, each compared with the first of its kind
  double seconds = 0;
  std::int64_t changed = 0;                  // steps whose logits were not bit for bit as at first
  double worst_kl = 0;                       // between first and later logits
  std::optional<std::int64_t> first_excess;  // the step at which worst_kl went over its bound
};

// ---- Efficiency ----

struct PhaseSpeed {
  std::string phase;  // "prefill 512", "decode at depth 0"
  double tokens_per_s = 0;
  double share_of_ceiling = 0;  // 0: unknown
  std::string ceiling;          // "i8 arithmetic", "memory"
};

// All operations of one kind, weight type and shape in one step.
struct OperationCost {
  std::string phase;
  std::string operation;
  std::string shape;
  std::int64_t count = 0;
  double ms = 0;                // of all of them in one step
  double share_of_step = 0;     // of the sum over all operations
  double share_of_ceiling = 0;  // of the one that binds; 0: unknown
  std::string ceiling;
  // What the step would gain if these reached 80 % of the ceiling, as a share of its time.
  double gain_at_80 = 0;
  bool on_fallback = false;
};

struct Efficiency {
  std::optional<double> memory_gb_s;      // the chip's measured ceilings
  std::map<std::string, double> gflop_s;  // by type
  std::vector<PhaseSpeed> phases;
  std::vector<OperationCost> costs;  // the most expensive first
};

// ---- The verdict ----

struct Check {
  std::string what;  // "mean KL"
  std::string found;
  std::string bound;
  bool is_kept = true;
};

struct Verdict {
  bool is_equivalent = false;
  std::vector<Check> checks;
  std::vector<std::string> guilty;  // operations, in the order of the program; empty if none
  std::string sentence;             // for people
};

struct Certificate {
  Fingerprint fingerprint;
  std::string issued;  // "2026-11-22T09:30:00Z"
  std::string expires;
  std::string operands;     // the coarsest rounding of products' operands that was allowed: "f16"
  std::string load_report;  // what B lacks and where it ran instead; empty if nothing
  KlBounds kl_bounds;
  std::vector<Divergence> divergences;
  std::vector<GreedyText> greedy;
  std::vector<LayerDrift> drift;
  std::vector<OperationAgreement> operations;
  std::vector<OperationExcess> excesses;  // the first of them, in the order of the program
  Soak soak;
  Efficiency efficiency;
  Verdict verdict;
};

}  // namespace switchyard::certify
