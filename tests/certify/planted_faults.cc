// switchyard_planted_faults: what certification makes of faults that are planted in a fake card,
// and of honest chips. Prints a table; exit code 1 if a fault slips through or is blamed on another
// operation, or if an honest chip is refused.
//
//   switchyard_planted_faults CHIP_FOLDER [NAME...]
//
// The cards are the null chip's device 1, which computes as the reference does but for the fault;
// one is the reference itself, rounding as other programs do.

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/temporary_folder.h"
#include "certify/certification.h"
#include "tests/certify/proof_model.h"

namespace switchyard {
namespace {

using base::ErrorCode;
using base::Fail;

struct Subject {
  std::string name;
  std::string what;
  std::string chip;
  std::uint32_t device = 0;
  std::vector<device::DeviceOption> options = {};
  std::string guilty = {};  // the operation to be named; empty: an honest chip
  test_support::ProofTraits traits = {};
  bool may_be_absent = false;
};

std::vector<Subject> Subjects() {
  const auto fault = [](std::string name, std::string what, std::string guilty) {
    return Subject{name, std::move(what), "null", 1, {{"fault", name}}, std::move(guilty)};
  };
  Subject wide = fault("wide_linear", "a linear wrong only for N >= 65,536", "linear");
  wide.traits.vocabulary = 65'792;
  Subject late = fault("rope_halves", "rope wrong only after 10,000 runs", "rope");
  late.name = "late";
  late.options.push_back({"fault_after", "10000"});
  Subject f16 = fault("f16_operands", "operands of products rounded to f16", "");
  const Subject eight_bits = {
      "eight_bits", "activations rounded to 8 bits",  "reference", 0, {{"activations", "ggml"}},
      "linear",     {.weights = tensor::DType::kQ4_1}};
  return {wide,
          fault("rope_halves", "RoPE's halves swapped", "rope"),
          fault("window_off_by_one", "a window one position too long", "attention"),
          fault("crossed_pages", "KV pages crossed between sequences", "attention"),
          fault("bf16_accumulation", "sums kept in bf16", "linear"),
          fault("unscaled_softmax", "a softmax without its scale", "attention"),
          fault("norm_epsilon", "a norm's epsilon ten times too large", "rms_norm"),
          fault("noise", "noise of one part in a thousand", "linear"),
          fault("large_batches", "an error only in batches over 512", "linear"),
          late,
          eight_bits,
          f16,
          {"cpu", "the CPU chip", "cpu"},
          {"experts", "the CPU chip on a mixture of experts", "cpu", 0, {}, "", {320, true}},
          {"example", "the example chip: 16-bit activations", "example"},
          {"opencl", "the OpenCL chip, through PoCL", "opencl", 0, {}, "", {}, true}};
}

struct OpenedDevice {
  std::unique_ptr<device::Device> device;
  device::Queue queue;
};

base::Result<OpenedDevice> Open(const std::filesystem::path& folder, const std::string& chip_name,
                                std::uint32_t index,
                                std::span<const device::DeviceOption> options) {
  SWITCHYARD_TRY(const device::Chip chip,
                 device::Chip::Load(folder / ("switchyard_chip_" + chip_name + ".so")));
  OpenedDevice opened;
  SWITCHYARD_TRY(opened.device, device::Device::Open(chip, index, options));
  SWITCHYARD_TRY(opened.queue, device::Queue::Create(*opened.device));
  return opened;
}

base::Result<certify::Certificate> Certify(const std::filesystem::path& chips,
                                           const std::filesystem::path& model_path,
                                           const Subject& subject) {
  SWITCHYARD_TRY(OpenedDevice a, Open(chips, "reference", 0, {}));
  SWITCHYARD_TRY(OpenedDevice b, Open(chips, subject.chip, subject.device, subject.options));
  SWITCHYARD_TRY(OpenedDevice fallback, Open(chips, "reference", 0, {}));
  SWITCHYARD_TRY(const auto model, model::Model::Load(model_path));
  SWITCHYARD_TRY(const certify::Texts texts, certify::TokeniseTexts(*model));
  certify::CertificationOptions options;
  options.equivalence = {.positions = 256,
                         .long_context = 256,
                         .long_positions = 64,
                         .decode_steps = 16,
                         .batch = 16,
                         .greedy_tokens = 8};
  // Enough for what strikes after 10,000 runs; a wide vocabulary is slow.
  options.soak_steps = subject.traits.vocabulary > 1000 ? 100 : 12000;
  options.measure_efficiency = false;
  certify::Certificate certificate;
  certificate.fingerprint.a.chip = "reference";
  certificate.fingerprint.b.chip = subject.chip;
  SWITCHYARD_RETURN_IF_ERROR(certify::Certify(
      *model, {a.device.get(), &a.queue},
      {b.device.get(), &b.queue, fallback.device.get(), &fallback.queue}, texts, options,
      [](std::string_view, std::int64_t, std::int64_t) {}, certificate));
  return certificate;
}

// Why the verdict is not the one that is due; empty if it is.
std::string Complaint(const Subject& subject, const certify::Certificate& certificate) {
  const certify::Verdict& verdict = certificate.verdict;
  if (subject.guilty.empty()) {
    return verdict.is_equivalent ? "" : "an honest chip was refused: " + verdict.sentence;
  }
  if (verdict.is_equivalent) return "the fault was not found";
  if (verdict.guilty.size() == 1 && verdict.guilty.front() == subject.guilty) return "";
  return fmt::format("{} was blamed, not {}", fmt::join(verdict.guilty, ", "), subject.guilty);
}

// What told, besides the operations' own tolerance.
std::string Broken(const certify::Certificate& certificate) {
  std::int64_t count = 0;
  for (const certify::Check& check : certificate.verdict.checks) count += check.is_kept ? 0 : 1;
  double kl = 0;
  for (const certify::Divergence& one : certificate.divergences) kl = std::max(kl, one.mean_kl);
  return fmt::format("{} of {} checks, mean KL {:.2g}", count, certificate.verdict.checks.size(),
                     kl);
}

int Run(const std::filesystem::path& chips, std::span<char* const> names) {
  const base::TemporaryFolder folder;
  const std::filesystem::path model = folder.path() / "proof.gguf";
  fmt::print("{:<18} {:<40} {:<11} {:<11} {:<36} {:>6}\n", "planted", "what", "verdict", "named",
             "broken", "s");
  int failures = 0;
  for (const Subject& subject : Subjects()) {
    if (!names.empty() && std::ranges::find(names, subject.name) == names.end()) continue;
    const auto start = std::chrono::steady_clock::now();
    test_support::WriteProofModel(model, subject.traits);
    const auto certificate = Certify(chips, model, subject);
    if (!certificate) {
      const bool is_absent = subject.may_be_absent;
      fmt::print("{:<18} {:<40} {}: {}\n", subject.name, subject.what,
                 is_absent ? "skipped" : "FAILED", certificate.error().message);
      failures += is_absent ? 0 : 1;
      continue;
    }
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const certify::Verdict& verdict = certificate->verdict;
    fmt::print("{:<18} {:<40} {:<11} {:<11} {:<36} {:>6.1f}\n", subject.name, subject.what,
               verdict.is_equivalent ? "certified" : "refused",
               fmt::format("{}", fmt::join(verdict.guilty, ", ")), Broken(*certificate), seconds);
    if (const std::string complaint = Complaint(subject, *certificate); !complaint.empty()) {
      fmt::print("  FAILED: {}\n", complaint);
      ++failures;
    } else if (!certificate->excesses.empty()) {
      const certify::OperationExcess& first = certificate->excesses.front();
      fmt::print("  {} {} {}, {}: {}\n", first.operation, first.weight, first.shape, first.step,
                 first.complaint);
    }
    std::fflush(stdout);
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace switchyard

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: switchyard_planted_faults CHIP_FOLDER [NAME...]\n");
    return 2;
  }
  return switchyard::Run(argv[1], std::span(argv + 2, static_cast<std::size_t>(argc - 2)));
}
