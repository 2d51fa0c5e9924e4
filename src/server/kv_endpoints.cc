#include "server/kv_endpoints.h"

#include <algorithm>

#include "engine/kv_transfer.h"
#include "protocol/kv_request.h"
#include "server/server_state.h"

namespace switchyard::server {
namespace {

using base::ErrorCode;
using protocol::ApiError;

std::unexpected<ApiError> Refuse(const base::Error& error) {
  // The server's want, not the fault of whoever asks, as too many requests would be.
  if (error.code == ErrorCode::kResourceExhausted) {
    return std::unexpected(ApiError{503, error.message, "service_unavailable_error", "",
                                    "insufficient_kv_pages"});
  }
  return std::unexpected(protocol::ToApiError(error));
}

// Who drains waits for it.
MemberReply Counted(ServerState& state, const MemberReply& reply) {
  ++state.in_flight;
  const std::shared_ptr<void> counted(nullptr, [&state](void*) { --state.in_flight; });
  return [reply, counted](MemberAnswer answer) { reply(std::move(answer)); };
}

std::unexpected<ApiError> SharesNothing() {
  return Refuse({ErrorCode::kUnimplemented, "this server shares no KV pages"});
}

std::unexpected<ApiError> OtherModel(const std::string& given, const ApiServerOptions& options) {
  return std::unexpected(ApiError{
      400,
      fmt::format("The KV pages are of a model whose files have the SHA-256 {}, and those of `{}` "
                  "here have {}: only pages of the same files can be taken.",
                  given, options.model, options.identity.sha256),
      "invalid_request_error", "", "other_model"});
}

}  // namespace

void ExportKv(net::HttpRequest& request, ServerState& state, const MemberReply& reply) {
  const ApiServerOptions& options = state.options;
  if (options.kv == nullptr) return reply(SharesNothing());
  auto fields = protocol::ParseKvExport(
      request.body, static_cast<std::size_t>(state.service.context_tokens()));
  if (!fields) return reply(std::unexpected(std::move(fields.error())));
  const auto allowed = static_cast<std::uint64_t>(
      fields->max_bytes.value_or(std::numeric_limits<std::int64_t>::max()));
  options.kv->ExportKv(
      {options.identity.sha256, std::move(fields->tokens), fields->first_token,
       std::min(allowed, options.kv_most_bytes)},
      [&state, reply = Counted(state, reply)](base::Result<engine::KvExported> exported) {
        if (!exported) return reply(Refuse(exported.error()));
        state.metrics.kv_tokens_exported += static_cast<std::uint64_t>(exported->exported_tokens);
        reply(net::HttpResponse{
            .content_type = "application/octet-stream",
            .headers = {{"x-switchyard-next-token", std::to_string(exported->next_token)},
                        {"x-switchyard-cached-tokens", std::to_string(exported->cached_tokens)}},
            .body = std::move(exported->bytes)});
      });
}

void ImportKv(net::HttpRequest& request, ServerState& state, const MemberReply& reply) {
  if (state.options.kv == nullptr) return reply(SharesNothing());
  if (state.drain.is_on()) {
    return reply(
        Refuse({ErrorCode::kUnavailable, "the server stops or is drained and takes no KV pages"}));
  }
  auto pages = engine::KvPages::Parse(std::move(request.body));
  if (!pages) return reply(Refuse(pages.error()));
  if (pages->head().model != state.options.identity.sha256) {
    return reply(OtherModel(pages->head().model, state.options));
  }
  state.options.kv->ImportKv(
      std::move(*pages),
      [&state, reply = Counted(state, reply)](const base::Result<engine::KvImported>& imported) {
        if (!imported) return reply(Refuse(imported.error()));
        state.metrics.kv_tokens_imported += static_cast<std::uint64_t>(imported->imported_tokens);
        reply(net::HttpResponse{.body = protocol::KvImportAnswer(imported->imported_tokens,
                                                                 imported->cached_tokens)});
      });
}

}  // namespace switchyard::server
