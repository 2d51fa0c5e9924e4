// What operators and members ask of a gateway, below /switchyard/v1/ (docs/fleet.md). An operator's
// key opens /switchyard/v1/fleet, a member's key /switchyard/v1/members; a client's opens neither,
// and without such keys there is nothing there. Any thread; nothing here blocks.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "access/member_access.h"
#include "gateway/audit_log.h"
#include "gateway/decision_log.h"
#include "gateway/drill.h"
#include "gateway/felt_log.h"
#include "gateway/fleet.h"
#include "gateway/registry.h"
#include "net/http_server.h"

namespace switchyard::gateway {

// All outlive the endpoints.
struct AdminParts {
  Fleet& fleet;
  Registry& registry;
  AuditLog& audit;
  const DecisionLog& decisions;
  const FeltLog& felt;
  Drill& drill;
  std::function<base::Status(const std::string& actor)> reload;  // of the configuration
};

class AdminEndpoints {
 public:
  AdminEndpoints(AdminParts parts, std::optional<access::ApiKeys> admin_keys,
                 std::optional<access::ApiKeys> member_keys);

  void Answer(const net::HttpRequest& request, std::shared_ptr<net::HttpResponder> responder);
  // There must have been some from the start.
  void ReplaceAdminKeys(access::ApiKeys keys) { admins_.Replace(std::move(keys)); }
  void ReplaceMemberKeys(access::ApiKeys keys) { members_.Replace(std::move(keys)); }

 private:
  struct Call;
  void Operate(Call& call);
  void Show(Call& call);
  void Order(Call& call, std::string_view verb);
  void BeginDrill(Call& call);
  void Reload(Call& call);
  void ShowAudit(Call& call);
  void Explain(Call& call, std::string_view id);
  void Membership(Call& call);

  AdminParts parts_;
  std::mutex order_mutex_;
  access::MemberAccess admins_;
  access::MemberAccess members_;
};

}  // namespace switchyard::gateway
