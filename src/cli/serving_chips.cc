#include "cli/serving_chips.h"

#include <algorithm>

#include "certify/plain_text.h"
#include "cli/fingerprints.h"
#include "engine/batch_engine.h"
#include "engine/replicas.h"

namespace switchyard::cli {
namespace {

using base::ErrorCode;
using base::Fail;

// Requests are mostly far from full context, so more run at once than would fit at it; one that
// finds no page gives its own back and goes on later.
constexpr std::int64_t kFullContexts = 16;

// "opencl:row_lanes=8" is for the chip of that name alone.
base::Result<std::vector<std::string>> ChipOptionsFor(const std::string& chip,
                                                      const ServeOptions& options) {
  std::vector<std::string> chosen;
  for (const std::string& option : options.session.chip_options) {
    const std::size_t colon = option.substr(0, option.find('=')).find(':');
    if (colon == std::string::npos && options.chips.size() > 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  "--chip-option {} is for which of the {} chips? Write CHIP:{}", option,
                  options.chips.size(), option);
    }
    if (colon == std::string::npos) {
      chosen.push_back(option);
    } else if (option.substr(0, colon) == chip) {
      chosen.push_back(option.substr(colon + 1));
    } else if (std::ranges::find(options.chips, option.substr(0, colon)) == options.chips.end()) {
      return Fail(ErrorCode::kInvalidArgument, "--chip-option {}: '{}' is not among the chips",
                  option, option.substr(0, colon));
    }
  }
  return chosen;
}

base::LogRecord LostChip(const std::string& chip, std::int64_t replica, const base::Error& error,
                         std::size_t requests) {
  return {base::LogLevel::kError,
          "chip lost",
          {{"chip", chip},
           {"replica", replica},
           {"requests", static_cast<std::int64_t>(requests)},
           {"why", error.message}}};
}

struct Service {
  std::unique_ptr<engine::CompletionService> completions;
  engine::KvTransfer* kv;  // the same
};

template <typename Engine>
Service ServiceOf(std::unique_ptr<Engine> engine) {
  Engine* const kv = engine.get();
  return {std::move(engine), kv};
}

Service MakeService(const std::vector<std::unique_ptr<ModelSession>>& sessions,
                    const ServeOptions& options, const base::LogSink& log) {
  engine::BatchEngineOptions batching;
  batching.sequences = options.max_running;
  // Behind a common queue an engine has only what it is about to run, and all of that fits.
  batching.waiting = sessions.size() == 1 ? options.max_waiting
                                          : std::max(options.max_waiting, options.max_running);
  batching.step_budget_ms = options.step_budget_ms;
  batching.deterministic = options.deterministic;
  std::vector<std::unique_ptr<engine::BatchEngine>> engines;
  for (const auto& session : sessions) {
    batching.on_lost = [log, chip = std::string(session->device().chip().name()),
                        replica = std::ssize(engines)](const base::Error& error,
                                                       std::size_t requests) {
      log(LostChip(chip, replica, error, requests));
    };
    engines.push_back(std::make_unique<engine::BatchEngine>(
        session->runner(), session->model().tokenizer(), batching));
  }
  if (engines.size() == 1) return ServiceOf(std::move(engines.front()));
  return ServiceOf(std::make_unique<engine::Replicas>(
      std::move(engines), engine::ReplicasOptions{.waiting = options.max_waiting}));
}

// Whether two give the same numbers for the same steps, as far as can be known.
bool ComputesAlike(const ModelSession& a, const ModelSession& b) {
  const sy_device_properties& of_a = a.device().properties();
  const sy_device_properties& of_b = b.device().properties();
  const auto is_same = [](const device::DeviceOption& x, const device::DeviceOption& y) {
    return x.name == y.name && x.value == y.value;
  };
  return a.plugin() == b.plugin() &&
         std::ranges::equal(a.choice().options, b.choice().options, is_same) &&
         std::string_view(of_a.name) == of_b.name &&
         std::string_view(of_a.architecture) == of_b.architecture;
}

// The first that computes unlike the first of all; null: none does.
const ModelSession* FindUnlike(const std::vector<std::unique_ptr<ModelSession>>& sessions) {
  const auto found = std::ranges::find_if(sessions, [&](const auto& session) {
    return !ComputesAlike(*sessions.front(), *session);
  });
  return found == sessions.end() ? nullptr : found->get();
}

}  // namespace

base::Result<ServingChips> ServingChips::Open(const ServeOptions& options,
                                              const Environment& environment,
                                              const base::LogSink& log) {
  engine::RunnerOptions runner;
  runner.sequences = std::min(options.max_running, kFullContexts);
  runner.pages = options.kv_pages;
  ServingChips chips;
  for (const std::string& chip :
       options.chips.empty() ? std::vector{options.session.chip} : options.chips) {
    SessionOptions one = options.session;
    one.chip = chip;
    one.on_notice = [&log](std::string_view text) {
      log({base::LogLevel::kWarn, "notice", {{"text", std::string(text)}}});
    };
    SWITCHYARD_TRY(one.chip_options, ChipOptionsFor(chip, options));
    SWITCHYARD_TRY(auto session, ModelSession::Open(one, runner, environment));
    const device::Device& device = session->device();
    chips.ceilings_.push_back(MeasureCeilings(device, environment.CacheFolder() / "switchyard",
                                              CeilingSource::kRemembered));
    log({base::LogLevel::kInfo,
         "chip opened",
         {{"chip", std::string(device.chip().name())},
          {"replica", std::ssize(chips.sessions_)},
          {"device", std::string(device.properties().name)},
          {"code_path", std::string(device.properties().architecture)},
          {"memory_gb_s", chips.ceilings_.back().memory_gb_s.value_or(0)},
          {"fallback_operations",
           static_cast<std::int64_t>(session->report().ops_on_fallback)}}});
    chips.sessions_.push_back(std::move(session));
  }
  if (const ModelSession* const unlike = FindUnlike(chips.sessions_);
      options.deterministic && unlike != nullptr) {
    return Fail(ErrorCode::kFailedPrecondition,
                "--deterministic: '{}' and '{}' do not compute alike, and a text would depend on "
                "which of them has a place; serve from one, or from several of a kind",
                chips.first().device().chip().name(), unlike->device().chip().name());
  }
  Service service = MakeService(chips.sessions_, options, log);
  chips.service_ = std::move(service.completions);
  chips.kv_ = service.kv;
  return chips;
}

std::vector<server::ServingChip> ServingChips::Described() const {
  std::vector<server::ServingChip> described;
  for (std::size_t i = 0; i < sessions_.size(); ++i) {
    const ModelSession& session = *sessions_[i];
    const double weights = session.DecodeBytes(0);
    const sy_device_properties& properties = session.device().properties();
    described.push_back({.name = std::string(session.device().chip().name()),
                         .device = certify::PlainText(properties.name),
                         .fallback_operations = session.report().ops_on_fallback,
                         .weight_bytes = weights,
                         .kv_bytes_per_token = session.DecodeBytes(1) - weights,
                         .memory_gb_s = ceilings_[i].memory_gb_s,
                         .maker = certify::PlainText(properties.maker),
                         .code_path = certify::PlainText(properties.architecture),
                         .proof = std::string(ProofName(properties.proof))});
  }
  return described;
}

base::Result<std::vector<certify::SideFingerprint>> ServingChips::Fingerprints() const {
  std::vector<certify::SideFingerprint> sides;
  for (const auto& session : sessions_) {
    SWITCHYARD_TRY(auto side, FingerprintSide(session->device(), session->plugin(),
                                              session->choice().index, session->choice().options));
    sides.push_back(std::move(side));
  }
  return sides;
}

server::Determinism ServingChips::Determinism(bool asked) const {
  const ModelSession* const unlike = FindUnlike(sessions_);
  if (unlike != nullptr) {
    return {false,
            "the chips do not compute alike, and a text depends on which of them has a place"};
  }
  const bool is_invariant = std::ranges::all_of(
      sessions_, [](const auto& session) { return session->runner().is_batch_invariant(); });
  if (is_invariant && asked) {
    return {true,
            "the chip's results do not depend on the batch, and KV pages of others are refused"};
  }
  if (is_invariant) {
    return {true,
            "the chip's results do not depend on the batch; KV pages that a gateway brings are as "
            "their chip computed them"};
  }
  if (asked) {
    return {true, "each request is computed alone, in steps of always the same shapes"};
  }
  return {false, "the chip's results depend on what else is in the batch; see --deterministic"};
}

server::ModelIdentity ServingChips::Identity() const {
  ModelSession& session = *sessions_.front();
  return {.sha256 = "",
          .architecture = std::string(model::Name(session.model().config().architecture)),
          .weight_types = session.WeightTypes(),
          .kv_type = std::string(tensor::Name(session.runner().kv_shape().dtype))};
}

}  // namespace switchyard::cli
