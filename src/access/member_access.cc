#include "access/member_access.h"

#include <fmt/format.h>

#include <algorithm>

namespace switchyard::access {

base::Result<ApiKeys> MemberAccess::ParseKeys(std::string_view text) {
  SWITCHYARD_TRY(ApiKeys keys, ApiKeys::Parse(text));
  for (const KeyTerms& terms : keys.terms()) {
    if (terms.limits == policy::RateLimits{} && terms.priority == 0) continue;
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the member's key '{}' has limits or a priority, which such keys don't have: "
                      "leave only name= behind it",
                      terms.name);
  }
  return keys;
}

protocol::ApiResult<std::string> MemberAccess::Ask(const net::HttpRequest& request,
                                                   const KeyRing& clients) const {
  if (keys_.is_open()) {
    return std::unexpected(protocol::UnknownUrl(request.method, request.Path()));
  }
  const std::string_view given = request.Header("authorization");
  if (const auto holder = keys_.Find(given)) return fmt::format("member/{}", holder->name());
  if (!clients.is_open() && clients.Find(given) != nullptr) {
    return std::unexpected(protocol::ApiError{
        403, "This is a client's key; what is below /switchyard/ wants a member's key.",
        "permission_error", "", "permission_denied"});
  }
  return std::unexpected(protocol::InvalidApiKey(given.empty()));
}

}  // namespace switchyard::access
