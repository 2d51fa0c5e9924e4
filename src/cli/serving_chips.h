// The chips that one server serves from, each with a model of its own as the engine's replicas want
// it, and the engine that completes tokens on them. Made on the main thread; from then on the
// engine alone uses the runners.
#pragma once

#include <memory>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "certify/certificate.h"
#include "cli/model_session.h"
#include "cli/serve_options.h"
#include "engine/completion_service.h"
#include "engine/kv_transfer.h"
#include "server/api_server.h"
#include "server/metrics.h"

namespace switchyard::cli {

class ServingChips {
 public:
  // `log` is told of each chip, now and when it is lost.
  static base::Result<ServingChips> Open(const ServeOptions& options,
                                         const Environment& environment, const base::LogSink& log);

  engine::CompletionService& service() { return *service_; }
  engine::KvTransfer& kv() { return *kv_; }
  model::Model& model() { return sessions_.front()->model(); }
  ModelSession& first() { return *sessions_.front(); }
  // The first one's, measured before it served.
  const Ceilings& ceilings() const { return ceilings_.front(); }
  std::vector<server::ServingChip> Described() const;
  // Without the digest of the files, which takes a while.
  server::ModelIdentity Identity() const;
  // `asked`: the engine was told to be.
  server::Determinism Determinism(bool asked) const;
  // As certificates know them.
  base::Result<std::vector<certify::SideFingerprint>> Fingerprints() const;

 private:
  std::vector<std::unique_ptr<ModelSession>> sessions_;
  std::vector<Ceilings> ceilings_;  // of each session
  std::unique_ptr<engine::CompletionService> service_;  // uses the sessions
  engine::KvTransfer* kv_ = nullptr;                    // the same
};

}  // namespace switchyard::cli
