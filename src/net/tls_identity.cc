#include "net/tls_identity.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <string_view>

#include "net/internal/tls_context.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Fail;
using boost::system::error_code;
namespace ssl = boost::asio::ssl;

constexpr std::string_view kProtocol = "http/1.1";

// ALPN (RFC 7301): a client that offers protocols must offer ours.
int ChooseProtocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                   const unsigned char* offered, unsigned int size, void*) {
  for (unsigned int at = 0; at < size && at + 1 + offered[at] <= size; at += 1U + offered[at]) {
    const std::string_view name(reinterpret_cast<const char*>(offered) + at + 1, offered[at]);
    if (name != kProtocol) continue;
    *chosen = offered + at + 1;
    *chosen_size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

base::Result<std::shared_ptr<ssl::context>> MakeContext(const TlsFiles& files) {
  const auto refuse = [](const std::string& file, std::string_view what, const error_code& error) {
    return Fail(ErrorCode::kInvalidArgument, "'{}' cannot be used as {}: {}", file, what,
                error.message());
  };
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX* const native = context->native_handle();
  error_code error;
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_alpn_select_cb(native, &ChooseProtocol, nullptr);
  // Sessions of clients that were checked may be resumed only with a name of ours.
  static constexpr std::string_view kName = "switchyard";
  SSL_CTX_set_session_id_context(native, reinterpret_cast<const unsigned char*>(kName.data()),
                                 kName.size());
  // OpenSSL would ask for it in the terminal.
  (void)context->set_password_callback(
      [](std::size_t, ssl::context::password_purpose) { return std::string(); }, error);
  if (context->use_certificate_chain_file(files.certificate, error)) {
    return refuse(files.certificate, "a certificate in PEM", error);
  }
  if (context->use_private_key_file(files.key, ssl::context::pem, error)) {
    return refuse(files.key, "that certificate's key, in PEM and without a password", error);
  }
  if (SSL_CTX_check_private_key(native) != 1) {
    return Fail(ErrorCode::kInvalidArgument, "the key in '{}' is not that of the certificate '{}'",
                files.key, files.certificate);
  }
  if (!files.client_ca.empty()) {
    if (context->load_verify_file(files.client_ca, error)) {
      return refuse(files.client_ca, "authorities of clients, in PEM", error);
    }
    SSL_CTX_set_client_CA_list(native, SSL_load_client_CA_file(files.client_ca.c_str()));
    (void)context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
  }
  return context;
}

}  // namespace

base::Status internal::TlsContext::Reload() {
  SWITCHYARD_TRY(auto context, MakeContext(files_));
  const std::lock_guard lock(mutex_);
  current_ = std::move(context);
  return {};
}

std::shared_ptr<ssl::context> internal::TlsContext::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

std::int64_t internal::TlsContext::valid_until() const {
  const auto context = current();
  const X509* const certificate = SSL_CTX_get0_certificate(context->native_handle());
  std::tm parts{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) != 1) {
    return 0;
  }
  return ::timegm(&parts);
}

base::Result<std::shared_ptr<TlsIdentity>> TlsIdentity::Load(TlsFiles files) {
  auto identity = std::make_shared<internal::TlsContext>(std::move(files));
  SWITCHYARD_RETURN_IF_ERROR(identity->Reload());
  return identity;
}

}  // namespace switchyard::net
