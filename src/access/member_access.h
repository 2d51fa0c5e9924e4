// Who may use the member's endpoints, all of them below /switchyard/: whoever has a member's key,
// such as the gateway. Without such keys there are no endpoints. A client's key does not open them,
// and a member's key is none for what clients ask. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "access/api_keys.h"
#include "access/key_ring.h"
#include "net/http_server.h"
#include "protocol/api_error.h"

namespace switchyard::access {

class MemberAccess {
 public:
  // The file of the keys, as ApiKeys::Parse reads it. Limits behind a key are refused: nothing here
  // counts against them.
  static base::Result<ApiKeys> ParseKeys(std::string_view text);
  static bool IsMemberPath(std::string_view path) { return path.starts_with("/switchyard/"); }

  // None: there are no endpoints.
  explicit MemberAccess(std::optional<ApiKeys> keys) : keys_(std::move(keys)) {}
  // There must have been some from the start.
  void Replace(ApiKeys keys) { keys_.Replace(std::move(keys)); }

  // The name of the key's holder, for the log. 404, as for any unknown address, where there are no
  // endpoints; 401 without a key or with an unknown one; 403 with a key of `clients`.
  protocol::ApiResult<std::string> Ask(const net::HttpRequest& request,
                                       const KeyRing& clients) const;

 private:
  KeyRing keys_;
};

}  // namespace switchyard::access
