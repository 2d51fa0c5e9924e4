// The TLS context behind a TlsIdentity, for the connections that it serves.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "net/tls_identity.h"

namespace switchyard::net::internal {

class TlsContext final : public TlsIdentity {
 public:
  explicit TlsContext(TlsFiles files) : files_(std::move(files)) {}

  base::Status Reload() override;
  std::int64_t valid_until() const override;

  // Shared by the connections that began with it.
  std::shared_ptr<boost::asio::ssl::context> current() const;

 private:
  const TlsFiles files_;
  mutable std::mutex mutex_;
  std::shared_ptr<boost::asio::ssl::context> current_;  // guarded by `mutex_`
};

}  // namespace switchyard::net::internal
