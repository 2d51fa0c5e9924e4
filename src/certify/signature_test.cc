#include "certify/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <string>

#include "base/base64.h"
#include "base/temporary_folder.h"

namespace switchyard::certify {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

struct Vector {
  const char* secret;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032 section 7.1, tests 1, 2, 3 and SHA(abc).
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"}};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Signature, SignsTheVectorsOfRfc8032) {
  for (const Vector& vector : kVectors) {
    const auto key = PrivateKey::FromSeed(FromHex(vector.secret));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->public_key(), *PublicKey::FromRaw(FromHex(vector.public_key)));
    EXPECT_EQ(key->Sign(FromHex(vector.message)), FromHex(vector.signature));
  }
}

TEST(Signature, VerifiesTheVectorsAndNothingElse) {
  for (const Vector& vector : kVectors) {
    const auto key = PublicKey::FromRaw(FromHex(vector.public_key));
    ASSERT_TRUE(key);
    const std::string message = FromHex(vector.message);
    const std::string signature = FromHex(vector.signature);
    EXPECT_TRUE(key->Verifies(message, signature));
    EXPECT_FALSE(key->Verifies(message + "x", signature));
    for (std::size_t i = 0; i < signature.size(); ++i) {
      std::string other = signature;
      other[i] = static_cast<char>(other[i] ^ 1);
      EXPECT_FALSE(key->Verifies(message, other)) << i;
    }
    EXPECT_FALSE(key->Verifies(message, signature.substr(1)));
    EXPECT_FALSE(key->Verifies(message, ""));
    EXPECT_FALSE(PublicKey::FromRaw(std::string(32, '\x11'))->Verifies(message, signature));
  }
}

// RFC 8410 section 10.1 has this key in PEM, and section 10.3 the private one.
constexpr std::string_view kPublicPem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n";
constexpr std::string_view kPrivatePem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";

TEST(Signature, ReadsAndWritesTheKeysOfRfc8410) {
  const auto key = PublicKey::FromPem(kPublicPem);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->Pem(), kPublicPem);
  EXPECT_EQ(base::ToBase64(key->Der()), "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
  EXPECT_EQ(*PublicKey::FromDer(key->Der()), *key);
  // openssl pkey -pubin -in KEY -outform DER | openssl dgst -sha256 -binary | base64
  EXPECT_EQ(key->Fingerprint(), "SHA256:oekVYFTgT6yJmunydRMs3Ael28TqLCrTof/G4NJTaB8=");

  const base::TemporaryFolder folder;
  const auto path = folder.path() / "key.pem";
  std::ofstream(path) << kPrivatePem;
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  const auto secret = PrivateKey::Load(path);
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ(secret->public_key(), *key);
}

TEST(Signature, SavesAKeyThatOnlyItsOwnerMayRead) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "certify.key";
  const auto key = PrivateKey::Create();
  ASSERT_TRUE(key);
  ASSERT_TRUE(key->SaveNew(path));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_EQ(status.st_nlink, 1U);
  const auto loaded = PrivateKey::Load(path);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->public_key(), key->public_key());
  EXPECT_EQ(loaded->Sign("text"), key->Sign("text"));

  // A second one leaves the first alone.
  const std::string before = ReadFile(path);
  const auto second = PrivateKey::Create()->SaveNew(path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(ReadFile(path), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Signature, RefusesKeysThatAreNone) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "key.pem";
  EXPECT_EQ(PrivateKey::Load(path).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(PublicKey::Load(path).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(PublicKey::Load(folder.path()));
  std::ofstream(path) << kPrivatePem;
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const auto open = PrivateKey::Load(path);
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, ErrorCode::kPermissionDenied);
  EXPECT_THAT(open.error().message, HasSubstr("chmod 600"));
  std::ofstream(path) << "not a key";
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_THAT(PrivateKey::Load(path).error().message, HasSubstr("is not an Ed25519 private key"));
  EXPECT_THAT(PublicKey::Load(path).error().message, HasSubstr(path.string()));
  EXPECT_FALSE(PublicKey::FromPem(kPrivatePem));
  EXPECT_FALSE(PublicKey::FromPem(""));
  EXPECT_FALSE(PublicKey::FromDer(""));
  EXPECT_FALSE(PublicKey::FromDer(PublicKey::FromPem(kPublicPem)->Der() + "x"));
  EXPECT_FALSE(PublicKey::FromRaw("short"));
  EXPECT_FALSE(PrivateKey::FromSeed("short"));
}

}  // namespace
}  // namespace switchyard::certify
