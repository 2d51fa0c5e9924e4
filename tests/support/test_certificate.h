// Certificates for tests of TLS, made on the spot: an authority, and what it vouches for.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace switchyard::net {

class TestCertificate {
 public:
  // Signed by `issuer`; by itself if there is none. For the host 127.0.0.1.
  explicit TestCertificate(const std::string& name, const TestCertificate* issuer = nullptr)
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate_(X509_new(), &X509_free) {
    X509* const x = certificate_.get();
    X509_set_version(x, 2);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* const signer = issuer == nullptr ? x : issuer->certificate_.get();
    X509_set_issuer_name(x, X509_get_subject_name(signer));
    Extend(signer, NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
    Extend(signer, NID_subject_alt_name, "IP:127.0.0.1");
    X509_sign(x, issuer == nullptr ? key_.get() : issuer->key_.get(), EVP_sha256());
  }

  // Writes NAME.pem and NAME.key into the folder.
  void Write(const std::filesystem::path& folder, const std::string& name) const {
    WriteText(folder / (name + ".pem"), [this](BIO* to) {
      PEM_write_bio_X509(to, certificate_.get());
    });
    WriteText(folder / (name + ".key"), [this](BIO* to) {
      PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }

 private:
  void Extend(X509* signer, int which, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, signer, certificate_.get(), nullptr, nullptr, 0);
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, which, value);
    X509_add_ext(certificate_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <typename Writer>
  static void WriteText(const std::filesystem::path& path, const Writer& writer) {
    const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), &BIO_free);
    writer(memory.get());
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &bytes);
    std::ofstream(path).write(bytes, size);
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_;
  std::unique_ptr<X509, void (*)(X509*)> certificate_;
};

}  // namespace switchyard::net
