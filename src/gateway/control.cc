#include "gateway/control.h"

#include <chrono>
#include <filesystem>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "access/key_file.h"
#include "gateway/internal/clock_text.h"
#include "gateway/member_watch.h"
#include "gateway/registry.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;

constexpr std::size_t kExplained = 4096;  // requests
constexpr std::size_t kFelt = 65'536;
constexpr std::chrono::seconds kLookAgain{1};  // whether the file has changed

base::Result<std::optional<access::ApiKeys>> ReadKeys(const std::string& path) {
  if (path.empty()) return std::optional<access::ApiKeys>();
  SWITCHYARD_TRY(access::ApiKeys keys, access::ReadKeyFile(path, access::MemberAccess::ParseKeys));
  return std::optional(std::move(keys));
}

struct ControlKeys {
  std::optional<access::ApiKeys> admins;
  std::optional<access::ApiKeys> members;
};

base::Result<ControlKeys> ReadControlKeys(const ListenConfig& listen) {
  ControlKeys keys;
  SWITCHYARD_TRY(keys.admins, ReadKeys(listen.admin_key_file));
  SWITCHYARD_TRY(keys.members, ReadKeys(listen.member_key_file));
  return keys;
}

// An entry says when its order was given, here or at another gateway; an earlier version's does
// not.
OrderTime GivenAt(const AuditEntry& entry) {
  constexpr std::string_view kGiven = "given ";
  const std::string_view detail = entry.detail;
  const auto given =
      detail.starts_with(kGiven) ? internal::ReadUtc(detail.substr(kGiven.size())) : std::nullopt;
  return given ? *given : internal::ReadUtc(entry.time).value_or(OrderTime{});
}

// The last word of operators on each thing. A drill does not outlive the gateway that ran it.
base::Result<std::vector<FleetOrder>> ReadWords(AuditLog& audit) {
  SWITCHYARD_TRY(const auto entries, audit.All({"drain", "undrain", "forbid", "allow"}));
  std::vector<FleetOrder> words;
  for (const AuditEntry& entry : entries) {
    if (entry.actor.ends_with(" (drill)") || entry.actor.ends_with(" (restored)")) continue;
    FleetOrder word{
        .kind = entry.action.ends_with("drain") ? OrderKind::kDrain : OrderKind::kForbid,
        .what = entry.subject,
        .holds = entry.action == "drain" || entry.action == "forbid",
        .actor = entry.actor + " (restored)",
        .given = GivenAt(entry)};
    std::erase_if(words, [&](const FleetOrder& earlier) {
      return earlier.kind == word.kind && earlier.what == word.what;
    });
    words.push_back(std::move(word));
  }
  return words;
}

class WholeControl final : public Control {
 public:
  WholeControl(std::string path, FleetConfig config, ControlKeys keys,
               std::unique_ptr<AuditLog> audit, const std::vector<FleetOrder>& words,
               base::LogSink log)
      : path_(std::move(path)),
        log_(std::move(log)),
        audit_(std::move(audit)),
        decisions_(kExplained),
        felt_(kFelt),
        fleet_(std::move(config), [this](FleetChange change) { Write(std::move(change)); }),
        loop_(net::EventLoop::Create()),
        registry_(StartRegistry(*loop_, Restored(words), log_)),
        drill_(*loop_, fleet_, felt_),
        admin_({fleet_, *registry_, *audit_, decisions_, felt_, drill_,
                [this](const std::string& actor) { return ReloadBy(actor); }},
               std::move(keys.admins), std::move(keys.members)) {}
  ~WholeControl() override {
    loop_->Run([this] { timer_.reset(); });
  }

  void Begin() {
    watch_ = MemberWatch::Start(fleet_);
    changed_ = ChangeTime();
    loop_->Run([this] {
      timer_ = loop_->NewTimer();
      LookAgain();
    });
  }

  Fleet& fleet() override { return fleet_; }
  DecisionLog& decisions() override { return decisions_; }
  FeltLog& felt() override { return felt_; }
  AdminEndpoints& admin() override { return admin_; }

  base::Status Reload() override { return ReloadBy("gateway"); }
  void ReloadAlso(std::function<base::Status()> also) override {
    const std::lock_guard lock(reload_mutex_);
    also_ = std::move(also);
  }

 private:
  base::Status ReloadBy(const std::string& actor) {
    const std::lock_guard lock(reload_mutex_);
    auto config = ReadFleetConfig(path_);
    if (!config) return std::unexpected(std::move(config.error()));
    SWITCHYARD_TRY(ControlKeys keys, ReadControlKeys(config->listen));
    if (also_) SWITCHYARD_RETURN_IF_ERROR(also_());
    if (keys.admins) admin_.ReplaceAdminKeys(std::move(*keys.admins));
    if (keys.members) admin_.ReplaceMemberKeys(std::move(*keys.members));
    fleet_.Configure(std::move(*config), actor);
    return {};
  }

  void Write(FleetChange change) {
    if (log_) {
      log_({.message = "fleet changed",
            .fields = {{"action", change.action},
                       {"subject", change.subject},
                       {"actor", change.actor},
                       {"detail", change.detail}}});
    }
    audit_->Append({.actor = std::move(change.actor),
                    .action = std::move(change.action),
                    .subject = std::move(change.subject),
                    .detail = std::move(change.detail)},
                   [this, on_written = std::move(change.on_written)](const base::Status& status) {
                     if (!status && log_) {
                       log_({base::LogLevel::kError,
                             "audit log not written",
                             {{"error", status.error().message}}});
                     }
                     if (on_written) on_written(status);
                   });
  }

  // A forbidden maker stays forbidden whoever starts the gateway again. Before the registry begins,
  // which holds those words against what other gateways said.
  Fleet& Restored(const std::vector<FleetOrder>& words) {
    for (const FleetOrder& word : words) fleet_.Restore(word);
    return fleet_;
  }

  std::filesystem::file_time_type ChangeTime() const {
    std::error_code ignored;
    return std::filesystem::last_write_time(path_, ignored);
  }

  void LookAgain() {
    if (const auto changed = ChangeTime(); changed != changed_) {
      changed_ = changed;
      if (const auto status = Reload(); !status && log_) {
        log_({base::LogLevel::kError,
              "configuration not reloaded",
              {{"error", status.error().message}}});
      }
    }
    timer_->Start(kLookAgain, [this] { LookAgain(); });
  }

  const std::string path_;
  const base::LogSink log_;
  const std::unique_ptr<AuditLog> audit_;
  DecisionLog decisions_;
  FeltLog felt_;
  Fleet fleet_;
  const std::unique_ptr<net::EventLoop> loop_;
  const std::unique_ptr<Registry> registry_;
  Drill drill_;
  AdminEndpoints admin_;
  std::unique_ptr<MemberWatch> watch_;
  std::unique_ptr<net::LoopTimer> timer_;    // the loop's
  std::filesystem::file_time_type changed_;  // the loop's
  std::mutex reload_mutex_;
  std::function<base::Status()> also_;  // under the mutex
};

}  // namespace

base::Result<std::unique_ptr<Control>> Control::Start(const std::string& path, base::LogSink log) {
  SWITCHYARD_TRY(FleetConfig config, ReadFleetConfig(path));
  SWITCHYARD_TRY(ControlKeys keys, ReadControlKeys(config.listen));
  SWITCHYARD_TRY(auto audit, AuditLog::Open(config.audit_file));
  SWITCHYARD_TRY(const auto words, ReadWords(*audit));
  auto control = std::make_unique<WholeControl>(path, std::move(config), std::move(keys),
                                                std::move(audit), words, std::move(log));
  control->Begin();
  return control;
}

}  // namespace switchyard::gateway
