// What a server shows to prove who it is, and whom it believes: PEM files, read at the start and
// again on demand. Open connections keep what they began with. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"

namespace switchyard::net {

struct TlsFiles {
  std::string certificate;  // the server's own first, then those that vouch for it
  std::string key;
  std::string client_ca;  // if there is one, clients must show a certificate that it vouches for
};

class TlsIdentity {
 public:
  // kInvalidArgument names the file and what is wrong with it.
  static base::Result<std::shared_ptr<TlsIdentity>> Load(TlsFiles files);
  virtual ~TlsIdentity() = default;

  // Reads the files again for connections to come; if that fails the old ones stay in force.
  virtual base::Status Reload() = 0;
  // When the certificate ends, in seconds since 1970.
  virtual std::int64_t valid_until() const = 0;
};

}  // namespace switchyard::net
