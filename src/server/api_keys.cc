#include "server/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <cctype>

namespace switchyard::server {
namespace {

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

ApiKeys::Digest ApiKeys::DigestOf(std::string_view key) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

base::Result<ApiKeys> ApiKeys::Parse(std::string_view text) {
  ApiKeys keys;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    const std::string_view line = Trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.front() == '#') continue;
    if (line.find_first_of(" \t") != std::string_view::npos) {
      return base::Fail(base::ErrorCode::kInvalidArgument,
                        "line {} of the API keys holds a blank: write one key a line", number);
    }
    keys.digests_.push_back(DigestOf(line));
  }
  if (keys.digests_.empty()) {
    return base::Fail(base::ErrorCode::kInvalidArgument,
                      "the file of API keys holds none: write one key a line");
  }
  return keys;
}

bool ApiKeys::Accepts(std::string_view authorization) const {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() < kScheme.size()) return false;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(authorization[i])) != kScheme[i]) return false;
  }
  const Digest given = DigestOf(Trimmed(authorization.substr(kScheme.size())));
  int accepted = 0;
  for (const Digest& digest : digests_) {
    accepted |= static_cast<int>(::CRYPTO_memcmp(digest.data(), given.data(), given.size()) == 0);
  }
  return accepted != 0;
}

}  // namespace switchyard::server
