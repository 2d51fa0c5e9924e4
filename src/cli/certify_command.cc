#include "cli/certify_command.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>

#include "certify/certification.h"
#include "certify/plain_text.h"
#include "certify/utc_time.h"
#include "cli/ceilings.h"
#include "cli/certificate_files.h"
#include "cli/fingerprints.h"
#include "cli/local_chips.h"
#include "cli/model_session.h"
#include "cli/progress_line.h"
#include "cli/verify_certificate.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

struct CertifyOptions {
  std::string model;
  ChipChoice b;
  ChipChoice a{"reference", 0, {}, true};
  std::vector<std::string> b_options;
  std::vector<std::string> a_options;
  bool no_fallback = false;
  bool no_efficiency = false;
  std::string operands = "f16";
  std::string kv_type = "f16";
  certify::CertificationOptions certification;
  std::filesystem::path output;  // empty: named after model and chips
  std::int64_t valid_days = 90;
  VerifyOptions verify;
  bool is_verification = false;
};

base::Result<ops::Operands> ParseOperands(const std::string& name) {
  for (const auto operands :
       {ops::Operands::kF32, ops::Operands::kF16, ops::Operands::kBF16, ops::Operands::kInt8}) {
    if (ops::Name(operands) == name) return operands;
  }
  return Fail(ErrorCode::kInvalidArgument, "--operands is '{}': it must be f32, f16, bf16 or int8",
              name);
}

base::Status CheckNumbers(const CertifyOptions& options) {
  const auto check = [](std::string_view name, std::int64_t value, std::int64_t low,
                        std::int64_t high) -> base::Status {
    if (value >= low && value <= high) return {};
    return Fail(ErrorCode::kInvalidArgument, "{} is {}: it must lie between {} and {}", name, value,
                low, high);
  };
  const certify::CertificationOptions& certification = options.certification;
  SWITCHYARD_RETURN_IF_ERROR(
      check("--positions", certification.equivalence.positions, 64, 1 << 20));
  SWITCHYARD_RETURN_IF_ERROR(
      check("--long-context", certification.equivalence.long_context, 128, 1 << 20));
  SWITCHYARD_RETURN_IF_ERROR(
      check("--soak-steps", certification.soak_steps, 1, std::int64_t{1} << 40));
  return check("--valid-days", options.valid_days, 1, 3650);
}

void Print(const certify::Certificate& certificate) {
  fmt::print("\n{:<44} {:>9} {:>9} {:>9} {:>9} {:>10} {:>10}\n", "logits of A and B", "positions",
             "mean KL", "99 %", "worst", "same best", "perplexity");
  for (const certify::Divergence& d : certificate.divergences) {
    fmt::print("{:<44} {:>9} {:>9.2g} {:>9.2g} {:>9.2g} {:>8.2f} % {:>+8.3f} %\n", d.scenario,
               d.positions, d.mean_kl, d.p99_kl, d.worst_kl, 100 * d.same_best,
               d.perplexity_a > 0 ? 100 * (d.perplexity_b / d.perplexity_a - 1) : 0.0);
  }
  std::int64_t same = 0;
  for (const certify::GreedyText& text : certificate.greedy) same += text.first_difference ? 0 : 1;
  fmt::print("\ntexts that each chip wrote by itself: {} of {} are the same\n", same,
             certificate.greedy.size());
  for (const certify::GreedyText& text : certificate.greedy) {
    if (!text.first_difference) continue;
    fmt::print("  {:<24} differs from token {} on, where A's two best were {:.3g} apart\n",
               text.prompt, *text.first_difference, text.gap);
  }
  fmt::print("\n{:<18} {:<8} {:>9} {:>9} {:>10} {:>10}  {}\n", "operation", "weight", "compared",
             "exceeded", "NMSE", "tolerance", "allowed");
  for (const certify::OperationAgreement& one : certificate.operations) {
    fmt::print("{:<18} {:<8} {:>9} {:>9} {:>10.2g} {:>8.0f} %  {}{}\n", one.operation,
               one.weight_type, one.compared, one.exceeded, one.worst_nmse, 100 * one.worst_share,
               one.reason,
               one.on_fallback > 0 ? fmt::format("; {} ran on the reference", one.on_fallback)
                                   : std::string());
  }
  for (const certify::OperationExcess& one : certificate.excesses) {
    fmt::print("  {} {} ({}), {}: {}\n", one.operation, one.weight, one.shape, one.step,
               one.complaint);
  }
  const certify::Soak& soak = certificate.soak;
  if (soak.steps > 0) {
    fmt::print("\nsoak: {} steps in {:.0f} s, {} changed their result{}\n", soak.steps,
               soak.seconds, soak.changed,
               soak.first_excess ? fmt::format(", the first at step {}", *soak.first_excess)
                                 : std::string());
  }
  const certify::Efficiency& efficiency = certificate.efficiency;
  if (!efficiency.phases.empty()) {
    fmt::print("\n");
    for (const certify::PhaseSpeed& phase : efficiency.phases) {
      fmt::print("{:<28} {:>9.1f} tokens/s{}\n", phase.phase, phase.tokens_per_s,
                 phase.share_of_ceiling > 0
                     ? fmt::format(", {:.0f} % of what the chip's ceilings allow",
                                   100 * phase.share_of_ceiling)
                     : std::string());
    }
    fmt::print("\n{:<24} {:<18} {:<40} {:>5} {:>9} {:>6} {:>8} {:>12}\n", "what costs most",
               "operation", "shape", "count", "ms", "step", "ceiling", "gain at 80 %");
    std::size_t shown = 0;
    for (const certify::OperationCost& cost : efficiency.costs) {
      if (cost.share_of_step < 0.02 || ++shown > 24) continue;
      fmt::print("{:<24} {:<18} {:<40} {:>5} {:>9.2f} {:>4.0f} % {:>6.0f} % {:>10.0f} %\n",
                 cost.phase, cost.operation, cost.shape, cost.count, cost.ms,
                 100 * cost.share_of_step, 100 * cost.share_of_ceiling, 100 * cost.gain_at_80);
    }
  }
  fmt::print("\n");
  for (const certify::Check& check : certificate.verdict.checks) {
    fmt::print("{} {:<58} {:>12}  {}\n", check.is_kept ? "ok  " : "FAIL", check.what, check.found,
               check.bound);
  }
  fmt::print("\n{}\n", certificate.verdict.sentence);
}

// What a file may be called: "smollm2.opencl.json".
std::filesystem::path DefaultOutput(const CertifyOptions& options) {
  std::string name = std::filesystem::path(options.model).stem().string();
  for (char& c : name) {
    if (c == ':' || c == '/') c = '_';
  }
  return name + "." + options.b.name + ".json";
}

base::Result<certify::Fingerprint> FingerprintOf(const CertifyOptions& options,
                                                 const std::filesystem::path& model_path,
                                                 const model::Model& model, const OpenedChip& a,
                                                 const OpenedChip& b) {
  certify::Fingerprint fingerprint;
  const bool is_path = std::filesystem::exists(options.model);
  fingerprint.model.name = certify::PlainText(
      is_path ? std::filesystem::absolute(options.model).string() : options.model);
  SWITCHYARD_TRY(fingerprint.model.sha256, Sha256OfModel(model_path));
  fingerprint.model.architecture = model::Name(model.config().architecture);
  fingerprint.model.weight_types = WeightTypes(model);
  fingerprint.model.kv_type = options.kv_type;
  SWITCHYARD_TRY(fingerprint.a,
                 FingerprintSide(a.device(), a.plugin(), options.a.index, options.a.options));
  SWITCHYARD_TRY(fingerprint.b,
                 FingerprintSide(b.device(), b.plugin(), options.b.index, options.b.options));
  fingerprint.machine = FingerprintMachine();
  fingerprint.program = ProgramVersion();
  return fingerprint;
}

base::Status SignAndWrite(certify::Certificate& certificate, const CertifyOptions& options,
                          const Environment& environment) {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  certificate.issued = certify::FormatUtcTime(now);
  certificate.expires = certify::FormatUtcTime(now + std::chrono::days(options.valid_days));
  SWITCHYARD_TRY(const SigningKey key, OpenSigningKey(environment));
  if (key.is_new) {
    fmt::print("A key to sign with was made: {}; give {} to those who shall trust it.\n",
               key.file.string(), key.public_file.string());
  }
  SWITCHYARD_TRY(
      const CertificateFiles files,
      WriteCertificate(certificate, key.key,
                       options.output.empty() ? DefaultOutput(options) : options.output));
  fmt::print("{}\n{}\n", files.json.string(), files.page.string());
  return {};
}

base::Status RunCertify(CertifyOptions options, const Environment& environment) {
  if (options.is_verification) return VerifyCertificate(options.verify, environment);
  if (options.model.empty() || options.b.name.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "certify needs a MODEL and --chip NAME; see 'switchyard certify --help'");
  }
  SWITCHYARD_RETURN_IF_ERROR(CheckNumbers(options));
  SWITCHYARD_TRY(options.certification.operands, ParseOperands(options.operands));
  SWITCHYARD_TRY(options.certification.kv_dtype, ParseKvType(options.kv_type));
  SWITCHYARD_TRY(options.b.options, ParseDeviceOptions(options.b_options));
  SWITCHYARD_TRY(options.a.options, ParseDeviceOptions(options.a_options));
  options.b.allow_fallback = !options.no_fallback;
  SWITCHYARD_TRY(const auto path, ResolveModel(options.model, environment));
  SWITCHYARD_TRY(const auto a, OpenedChip::Open(options.a, environment));
  SWITCHYARD_TRY(const auto b, OpenedChip::Open(options.b, environment));
  SWITCHYARD_TRY(const auto model, model::Model::Load(path));
  SWITCHYARD_TRY(const certify::Texts texts, certify::TokeniseTexts(*model));

  certify::Certificate certificate;
  SWITCHYARD_TRY(certificate.fingerprint, FingerprintOf(options, path, *model, *a, *b));
  const Ceilings ceilings = MeasureCeilings(b->device(), environment.CacheFolder() / "switchyard",
                                            CeilingSource::kMeasureNow);
  certificate.efficiency.memory_gb_s = ceilings.memory_gb_s;
  certificate.efficiency.gflop_s = ceilings.gflop_s;
  ProgressLine progress(stderr);
  SWITCHYARD_RETURN_IF_ERROR(certify::Certify(
      *model, a->target(), b->target(), texts, options.certification,
      [&](std::string_view what, std::int64_t done, std::int64_t total) {
        progress.Update(what, done, total);
      },
      certificate));
  progress.Clear();
  Print(certificate);
  SWITCHYARD_RETURN_IF_ERROR(SignAndWrite(certificate, options, environment));
  if (certificate.verdict.is_equivalent) return {};
  return Fail(ErrorCode::kFailedPrecondition, "'{}' is not certified for '{}'",
              certificate.fingerprint.b.chip, options.model);
}

}  // namespace

void AddCertifyCommand(CommandLine& line, const Environment& environment) {
  const auto options = std::make_shared<CertifyOptions>();
  CLI::App& command = line.Add(
      "certify", "Tells whether a model's answers on a chip can be trusted, and how fast it is.",
      [options, &environment] { return RunCertify(*options, environment); });
  command.add_option("MODEL", options->model, "A name, a path, hf:ORG/REPO, ms:ORG/REPO or a URL");
  command.add_option("--chip", options->b.name, "The chip to certify (B)");
  command.add_option("--against", options->a.name, "The chip whose answers are trusted (A)");
  command.add_option("--device", options->b.index, "Which of B's devices");
  command.add_option("--against-device", options->a.index, "Which of A's devices");
  command.add_option("--chip-option", options->b_options,
                     "An option for B, NAME=VALUE; may be repeated");
  command.add_option("--against-option", options->a_options,
                     "An option for A, NAME=VALUE; may be repeated");
  command.add_flag("--no-fallback", options->no_fallback,
                   "Refuse to run anything on the reference that B lacks");
  command.add_option("--operands", options->operands,
                     "The coarsest rounding of operands that is allowed: f32, f16, bf16 or int8");
  command.add_option("--kv-type", options->kv_type, "Type of the KV cache: f16, f32 or bf16");
  auto& certification = options->certification;
  command.add_option("--positions", certification.equivalence.positions,
                     "Of short texts that are compared");
  command.add_option("--long-context", certification.equivalence.long_context,
                     "Tokens of the long text");
  command.add_option("--soak-steps", certification.soak_steps,
                     "Decode steps that are repeated on B");
  command.add_flag("--no-efficiency", options->no_efficiency, "Do not measure how fast B is");
  command.add_option("--valid-days", options->valid_days, "How long the certificate holds");
  command.add_option("--out", options->output, "The certificate's file; the page lies beside it");

  CLI::App& verify = *command.add_subcommand("verify", "Tells whether a certificate holds here.");
  VerifyOptions& verification = options->verify;
  verify.callback([options] { options->is_verification = true; });
  verify.add_option("FILE", verification.certificate, "A certificate's JSON")->required();
  verify.add_option("--model", verification.model, "Where the model lies, if not under its name");
  verify.add_option("--trust", verification.trusted, "A public key to trust; may be repeated");
  verify.add_flag("--elsewhere", verification.elsewhere,
                  "Only signature, dates and verdict: this machine has neither chip nor model");
}

}  // namespace switchyard::cli
