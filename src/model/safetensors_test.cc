#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <fstream>
#include <string>

#include "base/temporary_folder.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using tensor::DType;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A file with `header` as its JSON and `data_size` bytes 0, 1, 2, ... after it.
std::string FileText(std::string_view header, std::size_t data_size) {
  const std::uint64_t length = header.size();
  std::string text(reinterpret_cast<const char*>(&length), sizeof(length));
  text += header;
  for (std::size_t i = 0; i < data_size; ++i) text += static_cast<char>(i);
  return text;
}

base::Result<SafetensorsWeights> ParseText(const std::string& text) {
  return SafetensorsWeights::Parse(std::as_bytes(std::span(text)), "m.safetensors");
}

// The message of the refusal, or "" if the file was accepted.
std::string Refusal(const std::string& text) {
  auto weights = ParseText(text);
  return weights ? "" : weights.error().message;
}
std::string Refusal(std::string_view header, std::size_t data_size) {
  return Refusal(FileText(header, data_size));
}

constexpr std::string_view kSmall = R"({"__metadata__":{"format":"pt"},)"
                                    R"("b":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]},)"
                                    R"("a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}})";

class Folder {
 public:
  void Put(std::string_view name, std::string_view text) const {
    std::ofstream(path() / name, std::ios::binary) << text;
  }
  std::string Refusal() const {
    auto weights = SafetensorsWeights::Open(path());
    return weights ? "" : weights.error().message;
  }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  base::TemporaryFolder folder_;
};

TEST(Safetensors, ReadsTensorsInPlace) {
  const std::string text = FileText(kSmall, 32);
  auto weights = ParseText(text);
  ASSERT_TRUE(weights) << weights.error().message;
  ASSERT_EQ(weights->tensors().size(), 2U);
  EXPECT_EQ(weights->tensors()[0].name, "a");  // the order of the bytes, not of the header
  const SafetensorsTensor* b = weights->FindTensor("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->dtype, DType::kF32);
  EXPECT_THAT(b->dims, ElementsAre(2, 3));
  EXPECT_EQ(b->data.size(), 24U);
  EXPECT_EQ(b->data[0], std::byte{8});
  EXPECT_EQ(reinterpret_cast<const char*>(b->data.data() + b->data.size()),
            text.data() + text.size());
  EXPECT_EQ(weights->FindTensor("__metadata__"), nullptr);
}

TEST(Safetensors, ReadsEveryDTypeAndShape) {
  const std::string text = FileText(
      R"({"f16":{"dtype":"F16","shape":[1,1],"data_offsets":[0,2]},)"
      R"("i8":{"dtype":"I8","shape":[2],"data_offsets":[2,4]},)"
      R"("i32":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},)"
      R"("i64":{"dtype":"I64","shape":[],"data_offsets":[8,16]},)"
      R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[12,12]},)"
      R"("later":{"dtype":"I8","shape":[1],"data_offsets":[16,17],"note":[["x",{"y":1}],null]}})",
      17);
  auto weights = ParseText(text);
  ASSERT_TRUE(weights) << weights.error().message;
  EXPECT_EQ(weights->FindTensor("f16")->dtype, DType::kF16);
  EXPECT_EQ(weights->FindTensor("i8")->dtype, DType::kI8);
  EXPECT_EQ(weights->FindTensor("i32")->dtype, DType::kI32);
  EXPECT_EQ(weights->FindTensor("i64")->dtype, DType::kI64);
  EXPECT_THAT(weights->FindTensor("i64")->dims, IsEmpty());
  EXPECT_TRUE(weights->FindTensor("none")->data.empty());
  EXPECT_NE(weights->FindTensor("later"), nullptr);
}

TEST(Safetensors, EveryTruncationIsRefusedWithASentence) {
  const std::string text = FileText(kSmall, 32);
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string message = Refusal(text.substr(0, size));
    ASSERT_THAT(message, AllOf(HasSubstr("m.safetensors"), HasSubstr("fetch it again"))) << size;
  }
  EXPECT_EQ(Refusal(text), "");
}

TEST(Safetensors, BadHeadersAreRefused) {
  EXPECT_THAT(Refusal(std::string(8, '\xff')),
              HasSubstr("above the limit of 100000000"));
  EXPECT_THAT(Refusal("version https://git-lfs.github.com/spec/v1"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(Refusal("", 0), HasSubstr("not valid JSON at byte"));
  EXPECT_THAT(Refusal("[]", 0), HasSubstr("the header is not of the kind"));
  EXPECT_THAT(Refusal("7", 0), HasSubstr("the header is not of the kind"));
  EXPECT_THAT(Refusal(R"({"a":[]})", 0), HasSubstr("tensor 'a' is not of the kind"));
  EXPECT_THAT(Refusal(R"({"a":1})", 0), HasSubstr("tensor 'a' is not of the kind"));
  EXPECT_THAT(Refusal(std::string(100000, '['), 0), HasSubstr("header"));
}

TEST(Safetensors, BadFieldsAreRefused) {
  const auto refusal = [](std::string_view fields) {
    return Refusal(R"({"a":{)" + std::string(fields) + "}}", 64);
  };
  EXPECT_EQ(refusal(R"("dtype":"F32","shape":[4],"data_offsets":[0,16])"), "");
  EXPECT_THAT(refusal(R"("shape":[4],"data_offsets":[0,16])"), HasSubstr("lacks its dtype"));
  EXPECT_THAT(refusal(R"("dtype":"F32","data_offsets":[0,16])"), HasSubstr("lacks its shape"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[4])"), HasSubstr("lacks its two data_offsets"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[4],"data_offsets":[0])"),
              HasSubstr("lacks its two"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[4],"data_offsets":[0,8,16])"),
              HasSubstr("a value too many"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"),
              HasSubstr("at most 8 dimensions"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"),
              HasSubstr("too large"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[-4],"data_offsets":[0,16])"),
              HasSubstr("its shape is not of the kind"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[[4]],"data_offsets":[0,16])"),
              HasSubstr("its shape is not of the kind"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":{"0":4},"data_offsets":[0,16])"),
              HasSubstr("its shape is not of the kind"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":"4","data_offsets":[0,16])"),
              HasSubstr("its shape is not of the kind"));
  EXPECT_THAT(refusal(R"("dtype":["F32"],"shape":[4],"data_offsets":[0,16])"),
              HasSubstr("its dtype is not of the kind"));
  EXPECT_THAT(refusal(R"("dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16])"),
              HasSubstr("its dtype occurs twice"));
  EXPECT_THAT(refusal(R"("dtype":"F32","shape":[4],"shape":[4],"data_offsets":[0,16])"),
              HasSubstr("its shape occurs twice"));
}

TEST(Safetensors, UnsupportedDTypesAreNamed) {
  EXPECT_THAT(
      Refusal(R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})", 4),
      AllOf(HasSubstr("tensor 'a'"), HasSubstr("'F8_E4M3'"), HasSubstr("BF16")));
}

TEST(Safetensors, PlacesOfTensorsAreChecked) {
  const auto refusal = [](std::string_view shape, std::string_view offsets) {
    return Refusal(
        fmt::format(R"({{"x":{{"dtype":"I8","shape":[8],"data_offsets":[8,16]}},)"
                    R"("a":{{"dtype":"F32","shape":{},"data_offsets":{}}}}})",
                    shape, offsets),
        64);
  };
  EXPECT_EQ(refusal("[4]", "[16,32]"), "");
  EXPECT_EQ(refusal("[4]", "[48,64]"), "");
  EXPECT_THAT(refusal("[4]", "[49,65]"), HasSubstr("ends at byte 65 of the tensors' bytes but"));
  EXPECT_THAT(refusal("[4]", "[32,16]"), HasSubstr("wrong way round"));
  EXPECT_THAT(refusal("[4]", "[16,36]"), HasSubstr("need 16 bytes but its data_offsets span 20"));
  EXPECT_THAT(refusal("[4294967296,4294967296]", "[16,32]"), HasSubstr("64 bits"));
  EXPECT_THAT(refusal("[4]", "[12,28]"), HasSubstr("tensors 'x' and 'a' overlap"));
  EXPECT_THAT(refusal("[4]", "[0,16]"), HasSubstr("tensors 'a' and 'x' overlap"));
}

TEST(Safetensors, DuplicateNamesAreRefused) {
  EXPECT_THAT(Refusal(R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                                 R"("a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                                 2),
              HasSubstr("tensor 'a' occurs twice"));
}

constexpr std::string_view kShardA = R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})";
constexpr std::string_view kShardB = R"({"b":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}})";

TEST(Safetensors, OpensAFolderWithShards) {
  const Folder folder;
  folder.Put("s1.safetensors", FileText(kShardA, 2));
  folder.Put("s2.safetensors", FileText(kShardB, 3));
  folder.Put("model.safetensors.index.json",
             R"({"metadata":{"total_size":5},"weight_map":{"b":"s2.safetensors",)"
             R"("a":"s1.safetensors"}})");
  auto weights = SafetensorsWeights::Open(folder.path());
  ASSERT_TRUE(weights) << weights.error().message;
  SafetensorsWeights moved = std::move(*weights);
  ASSERT_NE(moved.FindTensor("b"), nullptr);
  EXPECT_EQ(moved.FindTensor("b")->data.size(), 3U);
  EXPECT_EQ(moved.FindTensor("b")->data[2], std::byte{2});
  EXPECT_EQ(moved.tensors().size(), 2U);
}

TEST(Safetensors, OpensAFolderWithOneFile) {
  const Folder folder;
  EXPECT_THAT(folder.Refusal(), HasSubstr("holds neither model.safetensors nor"));
  folder.Put("model.safetensors", FileText(kSmall, 32));
  EXPECT_EQ(folder.Refusal(), "");
  EXPECT_TRUE(SafetensorsWeights::Open(folder.path() / "model.safetensors"));
  EXPECT_EQ(SafetensorsWeights::Open(folder.path() / "other.safetensors").error().code,
            ErrorCode::kNotFound);
}

TEST(Safetensors, MissingShardsAreCounted) {
  const Folder folder;
  folder.Put("s1.safetensors", FileText(kShardA, 2));
  folder.Put("model.safetensors.index.json",
             R"({"weight_map":{"a":"s1.safetensors","b":"s2.safetensors","c":"s3.safetensors"}})");
  EXPECT_THAT(folder.Refusal(), AllOf(HasSubstr("2 of 3 shards are missing"),
                                      HasSubstr("'s2.safetensors'"), HasSubstr("fetch")));
}

TEST(Safetensors, ShardNamesMayNotLeaveTheFolder) {
  const Folder folder;
  for (const std::string_view name :
       {"../s1.safetensors", "/etc/s1.safetensors", "sub/s1.safetensors", "..", "",
        "..\\\\s1.safetensors", ".safetensors", ".s1.safetensors", "s1.bin", "C:s1.safetensors",
        "s1\\u0000.safetensors"}) {
    folder.Put("model.safetensors.index.json",
               fmt::format(R"({{"weight_map":{{"a":"{}"}}}})", name));
    EXPECT_THAT(folder.Refusal(), HasSubstr("which is not the name of a .safetensors file"))
        << name;
  }
}

TEST(Safetensors, IndexAndShardsMustAgree) {
  const Folder folder;
  folder.Put("s1.safetensors", FileText(kShardA, 2));
  folder.Put("s2.safetensors", FileText(kShardB, 3));
  const auto refusal = [&folder](std::string_view index) {
    folder.Put("model.safetensors.index.json", index);
    return folder.Refusal();
  };
  EXPECT_THAT(refusal(R"({"weight_map":{"c":"s1.safetensors"}})"),
              HasSubstr("places tensor 'c' in 's1.safetensors', which does not have it"));
  EXPECT_THAT(refusal(R"({"weight_map":{"a":"s2.safetensors","b":"s1.safetensors"}})"),
              HasSubstr("which does not have it"));
  EXPECT_THAT(refusal(R"({"weight_map":{}})"), HasSubstr("no weight_map"));
  EXPECT_THAT(refusal(R"({"weight_map":["a"]})"), HasSubstr("no weight_map"));
  EXPECT_THAT(refusal(R"({"weight_map":{"a":7}})"), HasSubstr("not the name of a file"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no weight_map"));
  EXPECT_THAT(refusal("{"), HasSubstr("not valid JSON"));
  folder.Put("s2.safetensors", FileText(kShardA, 2));
  EXPECT_THAT(refusal(R"({"weight_map":{"a":"s1.safetensors","a":"s2.safetensors"}})"),
              HasSubstr("tensor 'a' occurs twice"));
}

// Files that the safetensors package itself wrote (tests/goldens/make_architectures.py).
TEST(Safetensors, ReadsFilesOfTheReferenceImplementation) {
  const std::filesystem::path goldens = "tests/goldens/architectures";
  if (!std::filesystem::exists(goldens)) GTEST_SKIP() << goldens << " is absent";
  int read = 0;
  for (const auto& item : std::filesystem::recursive_directory_iterator(goldens)) {
    const std::string name = item.path().filename().string();
    if (!name.ends_with(".safetensors") && !name.ends_with(".safetensors.index.json")) continue;
    auto weights = SafetensorsWeights::Open(item.path());
    ASSERT_TRUE(weights) << weights.error().message;
    EXPECT_FALSE(weights->tensors().empty()) << item.path();
    ++read;
  }
  EXPECT_GT(read, 0);
}

TEST(Safetensors, DamagedBytesNeverCrash) {
  const std::string text = FileText(kSmall, 32);
  const bool held = rc::check([&text] {
    std::string damaged = text;
    const auto count = *rc::gen::inRange(1, 4);
    for (int i = 0; i < count; ++i) {
      damaged[*rc::gen::inRange<std::size_t>(0, damaged.size())] = *rc::gen::arbitrary<char>();
    }
    auto weights = ParseText(damaged);
    if (!weights) return;
    for (const SafetensorsTensor& tensor : weights->tensors()) {
      const char* begin = reinterpret_cast<const char*>(tensor.data.data());
      RC_ASSERT(begin >= damaged.data());
      RC_ASSERT(begin + tensor.data.size() <= damaged.data() + damaged.size());
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace switchyard::model
