#include "certify/certification.h"

#include <algorithm>

#include "certify/efficiency.h"
#include "certify/soak.h"
#include "certify/verdict.h"

namespace switchyard::certify {
namespace {

// What an examination found is put after what an earlier one did.
void Append(const Examination& found, Certificate& certificate, std::vector<std::string>& guilty) {
  for (const OperationAgreement& one : found.operations) {
    const auto known = std::ranges::find_if(certificate.operations, [&](const auto& other) {
      return other.operation == one.operation && other.weight_type == one.weight_type;
    });
    if (known == certificate.operations.end()) {
      certificate.operations.push_back(one);
      continue;
    }
    known->compared += one.compared;
    known->exceeded += one.exceeded;
    known->on_fallback += one.on_fallback;
    known->worst_nmse = std::max(known->worst_nmse, one.worst_nmse);
    known->worst_share = std::max(known->worst_share, one.worst_share);
  }
  std::ranges::copy(found.excesses, std::back_inserter(certificate.excesses));
  for (const std::string& name : found.guilty) {
    if (std::ranges::find(guilty, name) == guilty.end()) guilty.push_back(name);
  }
}

}  // namespace

base::Status Certify(model::Model& model, const device::Target& a, const device::Target& b,
                     const Texts& texts, const CertificationOptions& options,
                     const Progress& progress, Certificate& certificate) {
  std::vector<model::TokenId> all;
  for (const auto& passage : texts.passages) all.insert(all.end(), passage.begin(), passage.end());
  engine::RunnerOptions runner_options = RunnerOptionsFor(options.equivalence, model.config());
  runner_options.kv_dtype = options.kv_dtype;
  SWITCHYARD_TRY(const auto runner_a, engine::Runner::Create(model, a, runner_options));
  SWITCHYARD_TRY(const auto runner_b, engine::Runner::Create(model, b, runner_options));
  const ExaminationOptions examination{.operands = options.operands,
                                       .kv_dtype = options.kv_dtype,
                                       .activation_dtype = runner_b->activation_dtype()};
  const Bounds bounds = BoundsFor(options.operands);
  std::vector<std::string> guilty;
  certificate.operands = ops::Name(options.operands);

  SWITCHYARD_TRY(const Examination found, Examine(model, a, b, all, examination, progress));
  Append(found, certificate, guilty);
  SWITCHYARD_TRY(certificate.drift, MeasureDrift(model, a, b, all, examination));

  certificate.load_report = runner_b->report().Describe(
      b.chip->chip().name(), b.fallback == nullptr ? "none" : b.fallback->chip().name());
  SWITCHYARD_TRY(certificate.divergences, MeasureDivergences(*runner_a, *runner_b, texts.passages,
                                                             options.equivalence, progress));
  SWITCHYARD_TRY(certificate.greedy,
                 CompareGreedyTexts(*runner_a, *runner_b, texts.prompts, model.end_tokens(),
                                    options.equivalence, progress));
  if (options.soak_steps > 0) {
    SWITCHYARD_TRY(certificate.soak,
                   RunSoak(*runner_b, all, options.soak_steps, bounds.worst_kl, progress));
    if (certificate.soak.changed > 0) {
      // The chip is as it has become: which operation is it?
      SWITCHYARD_TRY(Examination after, Examine(model, a, b, all, examination, progress));
      for (OperationExcess& excess : after.excesses) excess.step += ", after the soak";
      Append(after, certificate, guilty);
    }
  }
  if (options.measure_efficiency) {
    SWITCHYARD_RETURN_IF_ERROR(
        MeasureEfficiency(model, b, *runner_b, certificate.efficiency, progress));
  }
  Judge(certificate, bounds, std::move(guilty));
  return {};
}

}  // namespace switchyard::certify
