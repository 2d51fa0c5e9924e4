#include "certify/signed_certificate.h"

#include "base/base64.h"
#include "certify/certificate_json.h"

namespace switchyard::certify {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;

constexpr std::string_view kBefore = R"({"certificate":)";
constexpr std::string_view kBetween = R"(,"signature":)";
constexpr std::string_view kAlgorithm = "ed25519";

// JSON without the white space between its parts (RFC 8259 section 2).
std::string WithoutWhiteSpace(std::string_view json) {
  std::string text;
  text.reserve(json.size());
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    text += c;
    if (in_string && c == '\\' && i + 1 < json.size()) {
      text += json[++i];
    } else if (c == '"') {
      in_string = !in_string;
    }
  }
  return text;
}

Result<std::string> Field(const Json& signature, const char* name) {
  const auto found = signature.find(name);
  if (found == signature.end() || !found->is_string()) {
    return Fail(ErrorCode::kInvalidArgument, "signature.{} is missing or not a text", name);
  }
  return found->get<std::string>();
}

Result<std::string> BytesField(const Json& signature, const char* name) {
  SWITCHYARD_TRY(const std::string text, Field(signature, name));
  auto bytes = base::FromBase64(text);
  if (!bytes) return base::Rethrow(bytes.error(), "signature.{}", name);
  return bytes;
}

Result<SignedCertificate> Read(std::string_view text, std::string_view subject) {
  if (text.size() > kMaxCertificateBytes) {
    return Fail(ErrorCode::kResourceExhausted, "a certificate has at most {} bytes, this has more",
                kMaxCertificateBytes);
  }
  const std::string file = WithoutWhiteSpace(text);
  const std::size_t between = file.rfind(kBetween);
  if (!file.starts_with(kBefore) || between == std::string::npos || !file.ends_with("}")) {
    return Fail(ErrorCode::kInvalidArgument,
                "this is not a signed certificate: a JSON object of \"certificate\" and, last, "
                "\"signature\"");
  }
  const std::string_view whole = file;
  const std::string_view message = whole.substr(kBefore.size(), between - kBefore.size());
  std::string_view rest = whole.substr(between + kBetween.size());
  rest.remove_suffix(1);

  SWITCHYARD_TRY(const Json signature, base::ParseJson(rest, subject, {.depth = 1, .keys = 3}));
  if (!signature.is_object()) {
    return Fail(ErrorCode::kInvalidArgument, "signature is not an object");
  }
  SWITCHYARD_TRY(const std::string algorithm, Field(signature, "algorithm"));
  if (algorithm != kAlgorithm) {
    return Fail(ErrorCode::kUnimplemented, "signature.algorithm is '{}'; only {} is known here",
                algorithm.substr(0, 40), kAlgorithm);
  }
  SWITCHYARD_TRY(const std::string der, BytesField(signature, "public_key"));
  SWITCHYARD_TRY(const std::string value, BytesField(signature, "value"));
  auto key = PublicKey::FromDer(der);
  if (!key) return base::Rethrow(key.error(), "signature.public_key");

  SWITCHYARD_TRY(const Json json, base::ParseJson(message, subject, {.depth = 8, .keys = 1024}));
  SWITCHYARD_TRY(Certificate certificate, FromJson(json));
  return SignedCertificate{std::move(certificate), *key, key->Verifies(message, value),
                           base::ToBase64(value)};
}

}  // namespace

std::string WriteSigned(const Certificate& certificate, const PrivateKey& key) {
  const Json json = ToJson(certificate);
  const Json file = {{"certificate", json},
                     {"signature",
                      {{"algorithm", kAlgorithm},
                       {"public_key", base::ToBase64(key.public_key().Der())},
                       {"value", base::ToBase64(key.Sign(json.dump()))}}}};
  return file.dump(2) + "\n";
}

Result<SignedCertificate> ReadSigned(std::string_view text, std::string_view subject) {
  auto read = Read(text, subject);
  // ParseJson has said the subject already.
  if (!read && !read.error().message.starts_with(subject)) {
    return base::Rethrow(read.error(), "{}", subject);
  }
  return read;
}

}  // namespace switchyard::certify
