#include "model/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <string>

#include "base/temporary_folder.h"
#include "tests/support/gguf_writer.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using tensor::DType;
using test_support::GgmlTypeNumber;
using test_support::GgufFields;
using test_support::GgufWriter;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0;

std::vector<std::byte> SomeBytes(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return bytes;
}

// The message of the refusal, or "" if the file was accepted.
std::string GgufRefusal(std::span<const std::byte> bytes, ErrorCode* code = nullptr) {
  auto file = GgufFile::Parse(bytes, "m.gguf");
  if (file) return "";
  if (code != nullptr) *code = file.error().code;
  return file.error().message;
}

std::string GgufRefusal(const GgufWriter& writer) { return GgufRefusal(writer.Bytes()); }
std::string GgufRefusal(const GgufFields& fields) { return GgufRefusal(fields.bytes()); }

GgufFields Header(std::uint64_t tensors, std::uint64_t keys) {
  GgufFields fields;
  fields.PutText("GGUF").Put(std::uint32_t{3}).Put(tensors).Put(keys);
  return fields;
}

GgufWriter SmallModel() {
  GgufWriter writer;
  writer.Set("general.architecture", "llama");
  writer.Set("llama.block_count", std::uint32_t{2});
  writer.Set("llama.rms_eps", 0.5F);
  writer.SetArray("tokenizer.tokens", std::vector<std::string>{"a", "", "bc"});
  writer.AddTensor("a.weight", DType::kF32, {2, 3}, SomeBytes(24));
  writer.AddTensor("b.weight", DType::kQ4_0, {4, 64}, SomeBytes(4 * 36));
  return writer;
}

TEST(Gguf, ReadsTensorsInPlace) {
  const auto bytes = SmallModel().Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->version(), 3U);
  ASSERT_EQ(file->tensors().size(), 2U);
  const GgufTensor* tensor = file->FindTensor("b.weight");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, DType::kQ4_0);
  EXPECT_THAT(tensor->dims, ElementsAre(4, 64));
  EXPECT_EQ(tensor->data.size(), 4U * 36U);
  EXPECT_EQ(std::memcmp(tensor->data.data(), SomeBytes(4 * 36).data(), 4 * 36), 0);
  EXPECT_GE(tensor->data.data(), bytes.data());
  EXPECT_LE(tensor->data.data() + tensor->data.size(), bytes.data() + bytes.size());
  EXPECT_EQ((tensor->data.data() - bytes.data()) % 32, 0);
  EXPECT_EQ(file->FindTensor("c.weight"), nullptr);
}

TEST(Gguf, WidensEveryKindOfValue) {
  GgufWriter writer;
  writer.Set("u8", std::uint8_t{200});
  writer.Set("i8", std::int8_t{-100});
  writer.Set("u16", std::uint16_t{60000});
  writer.Set("i16", std::int16_t{-30000});
  writer.Set("u32", std::uint32_t{4000000000});
  writer.Set("i32", std::int32_t{-2000000000});
  writer.Set("u64", std::numeric_limits<std::uint64_t>::max());
  writer.Set("i64", std::numeric_limits<std::int64_t>::min());
  writer.Set("f32", 0.25F);
  writer.Set("f64", 1e300);
  writer.Set("yes", true);
  writer.Set("text", "sw\xc3\xaftch");
  writer.SetArray("u8s", std::vector<std::uint8_t>{0, 255});
  writer.SetArray("i8s", std::vector<std::int8_t>{-128, 127});
  writer.SetArray("u16s", std::vector<std::uint16_t>{65535});
  writer.SetArray("i16s", std::vector<std::int16_t>{-32768});
  writer.SetArray("u32s", std::vector<std::uint32_t>{4294967295U});
  writer.SetArray("i32s", std::vector<std::int32_t>{-1, 0, 1});
  writer.SetArray("u64s", std::vector<std::uint64_t>{std::uint64_t{1} << 62});
  writer.SetArray("i64s", std::vector<std::int64_t>{-5});
  writer.SetArray("f32s", std::vector<float>{0.5F, -2.0F});
  writer.SetArray("f64s", std::vector<double>{0.1});
  writer.SetArray("bools", std::vector<bool>{true, false, true});
  writer.SetArray("texts", std::vector<std::string>{"x", "yz"});
  writer.SetArray("empty", std::vector<std::string>{});
  const auto bytes = writer.Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->GetInt("u8"), 200);
  EXPECT_EQ(file->GetInt("i8"), -100);
  EXPECT_EQ(file->GetInt("u16"), 60000);
  EXPECT_EQ(file->GetInt("i16"), -30000);
  EXPECT_EQ(file->GetInt("u32"), 4000000000);
  EXPECT_EQ(file->GetInt("i32"), -2000000000);
  EXPECT_EQ(*file->Find("u64"), GgufValue(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(file->GetInt("i64"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(file->GetFloat("f32"), 0.25);
  EXPECT_EQ(file->GetFloat("f64"), 1e300);
  EXPECT_EQ(file->GetFloat("i8"), -100.0);
  EXPECT_EQ(file->GetFloat("u16"), 60000.0);
  EXPECT_EQ(file->GetBool("yes"), true);
  EXPECT_EQ(file->GetString("text"), "sw\xc3\xaftch");
  EXPECT_THAT(*file->GetInts("u8s").value(), ElementsAre(0, 255));
  EXPECT_THAT(*file->GetInts("i8s").value(), ElementsAre(-128, 127));
  EXPECT_THAT(*file->GetInts("u16s").value(), ElementsAre(65535));
  EXPECT_THAT(*file->GetInts("i16s").value(), ElementsAre(-32768));
  EXPECT_THAT(*file->GetInts("u32s").value(), ElementsAre(4294967295));
  EXPECT_THAT(*file->GetInts("i32s").value(), ElementsAre(-1, 0, 1));
  EXPECT_THAT(*file->GetInts("u64s").value(), ElementsAre(std::int64_t{1} << 62));
  EXPECT_THAT(*file->GetInts("i64s").value(), ElementsAre(-5));
  EXPECT_THAT(*file->GetFloats("f32s").value(), ElementsAre(0.5, -2.0));
  EXPECT_THAT(*file->GetFloats("f64s").value(), ElementsAre(0.1));
  EXPECT_EQ(*file->Find("bools"), GgufValue(std::vector<bool>{true, false, true}));
  EXPECT_THAT(*file->GetStrings("texts").value(), ElementsAre("x", "yz"));
  EXPECT_TRUE(file->GetStrings("empty").value()->empty());
  EXPECT_EQ(file->metadata().size(), 25U);
}

TEST(Gguf, GettersSayWhatIsWrong) {
  const auto bytes = SmallModel().Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->GetInt("absent").error().code, ErrorCode::kNotFound);
  EXPECT_THAT(file->GetInt("absent").error().message,
              AllOf(HasSubstr("m.gguf"), HasSubstr("'absent' is missing")));
  EXPECT_EQ(file->GetInt("llama.rms_eps").error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(file->GetInt("llama.rms_eps").error().message,
              HasSubstr("is a float where an integer is needed"));
  EXPECT_FALSE(file->GetFloat("general.architecture"));
  EXPECT_FALSE(file->GetBool("llama.block_count"));
  EXPECT_FALSE(file->GetString("llama.block_count"));
  EXPECT_FALSE(file->GetInts("tokenizer.tokens"));
  EXPECT_FALSE(file->GetFloats("tokenizer.tokens"));
  EXPECT_FALSE(file->GetStrings("llama.block_count"));
}

TEST(Gguf, IntegerAboveSixtyThreeBitsIsNoInt) {
  GgufWriter writer;
  writer.Set("big", std::uint64_t{1} << 63);
  const auto bytes = writer.Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  ASSERT_TRUE(file);
  EXPECT_THAT(file->GetInt("big").error().message, HasSubstr("63 bits"));
  GgufWriter array;
  array.SetArray("bigs", std::vector<std::uint64_t>{std::uint64_t{1} << 63});
  EXPECT_THAT(GgufRefusal(array), AllOf(HasSubstr("'bigs'"), HasSubstr("63 bits")));
}

TEST(Gguf, OpensFromDiskAndSurvivesMoves) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "small.gguf";
  {
    std::ofstream out(path, std::ios::binary);
    SmallModel().Write(out);
  }
  auto file = GgufFile::Open(path);
  ASSERT_TRUE(file) << file.error().message;
  GgufFile moved = std::move(*file);
  EXPECT_EQ(moved.GetString("general.architecture"), "llama");
  ASSERT_NE(moved.FindTensor("a.weight"), nullptr);
  EXPECT_EQ(moved.FindTensor("a.weight")->data[1], std::byte{8});
  std::filesystem::remove(path);
  EXPECT_EQ(GgufFile::Open(path).error().code, ErrorCode::kNotFound);
}

TEST(Gguf, VersionTwoIsReadAndOthersAreRefused) {
  GgufWriter writer = SmallModel();
  writer.set_version(2);
  EXPECT_EQ(GgufRefusal(writer), "");
  writer.set_version(1);
  EXPECT_THAT(GgufRefusal(writer), HasSubstr("version 1 is not supported"));
  writer.set_version(4);
  EXPECT_THAT(GgufRefusal(writer), HasSubstr("version 4 is not supported"));
  writer.set_version(0x03000000);
  EXPECT_THAT(GgufRefusal(writer), HasSubstr("big-endian (version 3)"));
}

TEST(Gguf, OtherFilesAreNamedForWhatTheyAre) {
  const auto refusal = [](std::string_view text) {
    return GgufRefusal(std::as_bytes(std::span(text)));
  };
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
  EXPECT_THAT(refusal("<!DOCTYPE html>"), HasSubstr("web page"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal("PK\x03\x04"), HasSubstr("PyTorch"));
  EXPECT_THAT(refusal("tjgg\x01"), HasSubstr("older than GGUF"));
  EXPECT_THAT(refusal(std::string_view("\x10\0\0\0\0\0\0\0{\"a\"", 12)), HasSubstr("safetensors"));
  EXPECT_THAT(refusal("GG"), HasSubstr("not a GGUF file"));
}

TEST(Gguf, EveryTruncationIsRefusedWithASentence) {
  const auto bytes = SmallModel().Bytes();
  // The last 16 bytes only pad the end of the last tensor to the alignment.
  const std::size_t needed = bytes.size() - 16;
  for (std::size_t size = 0; size < needed; ++size) {
    // A copy of its own, so that the address sanitizer sees a read beyond it.
    const std::vector<std::byte> part(bytes.begin(),
                                      bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const std::string message = GgufRefusal(part);
    ASSERT_THAT(message, HasSubstr("m.gguf")) << size;
    ASSERT_THAT(message, HasSubstr("again")) << size;
  }
  EXPECT_EQ(GgufRefusal(std::span(bytes).first(needed)), "");
}

TEST(Gguf, TensorBeyondTheEndNamesBothSizes) {
  const auto bytes = SmallModel().Bytes();
  ErrorCode code{};
  const std::string message = GgufRefusal(std::span(bytes).first(bytes.size() - 17), &code);
  EXPECT_EQ(message, fmt::format("m.gguf: tensor 'b.weight': it ends at byte {} but the file has "
                                 "{}: the download is probably incomplete; fetch it again",
                                 bytes.size() - 16, bytes.size() - 17));
  EXPECT_EQ(code, ErrorCode::kDataLoss);
}

TEST(Gguf, CountsBeyondTheFileAreRefusedBeforeAllocation) {
  constexpr auto kHuge = std::numeric_limits<std::uint64_t>::max();
  EXPECT_THAT(GgufRefusal(Header(0, kHuge)), HasSubstr("count of metadata entries"));
  EXPECT_THAT(GgufRefusal(Header(kHuge, 0)), HasSubstr("count of tensors"));
  EXPECT_THAT(GgufRefusal(Header(0, 1).PutText(std::string(64, '\xff'))), HasSubstr("the key"));
  for (const std::uint32_t type : {0U, 1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 10U, 11U, 12U}) {
    GgufFields fields = Header(0, 1);
    fields.PutString("k").Put(std::uint32_t{9}).Put(type).Put(kHuge / 4);
    EXPECT_THAT(GgufRefusal(fields), AllOf(HasSubstr("'k'"), HasSubstr("its array's length")));
  }
}

TEST(Gguf, BadValuesAreRefused) {
  GgufFields unknown = Header(0, 1);
  unknown.PutString("k").Put(std::uint32_t{13}).Put(std::uint64_t{0});
  EXPECT_THAT(GgufRefusal(unknown), AllOf(HasSubstr("'k'"), HasSubstr("value type 13")));
  GgufFields unknown_inside = Header(0, 1);
  unknown_inside.PutString("k").Put(std::uint32_t{9}).Put(std::uint32_t{77}).Put(std::uint64_t{0});
  EXPECT_THAT(GgufRefusal(unknown_inside), HasSubstr("value type 77"));
  GgufFields nested = Header(0, 1);
  nested.PutString("k").Put(std::uint32_t{9}).Put(std::uint32_t{9}).Put(std::uint64_t{1});
  EXPECT_THAT(GgufRefusal(nested), HasSubstr("array of arrays"));
  GgufFields boolean = Header(0, 1);
  boolean.PutString("k").Put(std::uint32_t{7}).Put(std::uint8_t{2});
  EXPECT_THAT(GgufRefusal(boolean), HasSubstr("its boolean is 2"));
  GgufFields nameless = Header(0, 1);
  nameless.PutString("").Put(std::uint32_t{4}).Put(std::uint32_t{2});
  EXPECT_THAT(GgufRefusal(nameless), HasSubstr("0 bytes long"));
}

TEST(Gguf, DuplicatesAreRefused) {
  GgufWriter keys;
  keys.Set("k", std::uint32_t{1});
  keys.Set("k", std::uint32_t{1});
  EXPECT_THAT(GgufRefusal(keys), HasSubstr("metadata key 'k' occurs twice"));
  GgufWriter tensors;
  tensors.AddTensor("t", DType::kF32, {8}, SomeBytes(32));
  tensors.AddTensor("t", DType::kF32, {8}, SomeBytes(32));
  EXPECT_THAT(GgufRefusal(tensors), HasSubstr("tensor 't' occurs twice"));
}

TEST(Gguf, BadShapesAreRefused) {
  const auto refusal = [](const std::vector<std::uint64_t>& dims, std::uint32_t type = kF32) {
    GgufWriter writer;
    writer.AddTensor("t", type, dims, 64, [] { return SomeBytes(64); });
    return GgufRefusal(writer);
  };
  EXPECT_EQ(refusal({2, 2, 2, 2}), "");
  EXPECT_THAT(refusal({}), HasSubstr("its rank is 0"));
  EXPECT_THAT(refusal({1, 1, 1, 1, 1}), HasSubstr("its rank is 5"));
  EXPECT_THAT(refusal({4, 0}), HasSubstr("its dimension 0 is 0"));
  EXPECT_THAT(refusal({std::uint64_t{1} << 63}),
              HasSubstr("its dimension 0 is 9223372036854775808"));
  EXPECT_THAT(refusal({std::uint64_t{1} << 32, std::uint64_t{1} << 32}), HasSubstr("63 bits"));
  EXPECT_THAT(refusal({std::uint64_t{1} << 62}), HasSubstr("overflow"));
  EXPECT_THAT(refusal({4, std::uint64_t{1} << 60}), HasSubstr("64 bits"));
  EXPECT_THAT(refusal({2, 48}, 2), HasSubstr("a row of 48 q4_0 elements does not fill"));
  EXPECT_THAT(refusal({1, 128}, 12), HasSubstr("whole blocks of 256; convert the model again"));
}

TEST(Gguf, UnsupportedTypesAreNamed) {
  GgufWriter known;
  known.AddTensor("t", 16, {256}, 66, [] { return SomeBytes(66); });
  EXPECT_THAT(GgufRefusal(known),
              AllOf(HasSubstr("tensor 't'"), HasSubstr("16 (IQ2_XXS)"), HasSubstr("Q4_K")));
  GgufWriter unknown;
  unknown.AddTensor("t", 4, {256}, 66, [] { return SomeBytes(66); });
  EXPECT_THAT(GgufRefusal(unknown), HasSubstr("type number 4 (unknown)"));
}

TEST(Gguf, EverySupportedTypeIsRead) {
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBF16, DType::kI32, DType::kI64, DType::kI8, DType::kQ4_0,
        DType::kQ4_1, DType::kQ5_0, DType::kQ5_1, DType::kQ8_0, DType::kQ2_K, DType::kQ3_K,
        DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kIQ4_NL, DType::kIQ4_XS, DType::kMXFP4}) {
    const std::uint64_t size = 3 * tensor::RowBytes(dtype, 512).value();
    GgufWriter writer;
    writer.AddTensor("t", dtype, {3, 512}, SomeBytes(size));
    const auto bytes = writer.Bytes();
    auto file = GgufFile::Parse(bytes, "m.gguf");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->tensors()[0].dtype, dtype);
    EXPECT_EQ(file->tensors()[0].data.size(), size);
  }
}

TEST(Gguf, PlacesOfTensorsAreChecked) {
  const auto refusal = [](std::uint64_t first, std::uint64_t second) {
    GgufWriter writer;
    writer.AddEntry("a", kF32, {16}, first);
    writer.AddEntry("b", kF32, {16}, second);
    auto bytes = writer.Bytes();
    bytes.resize(bytes.size() + 256);
    return GgufRefusal(bytes);
  };
  EXPECT_EQ(refusal(0, 64), "");
  EXPECT_EQ(refusal(128, 0), "");
  EXPECT_THAT(refusal(0, 32), HasSubstr("tensors 'a' and 'b' overlap"));
  EXPECT_THAT(refusal(96, 64), HasSubstr("tensors 'b' and 'a' overlap"));
  EXPECT_THAT(refusal(0, 0), HasSubstr("overlap"));
  EXPECT_THAT(refusal(0, 72), HasSubstr("offset 72 is not a multiple of the file's alignment 32"));
  EXPECT_THAT(refusal(0, 224), HasSubstr("ends at byte"));
  EXPECT_THAT(refusal(0, std::uint64_t{0} - 32), HasSubstr("64 bits"));
}

TEST(Gguf, AlignmentIsKeptAndChecked) {
  GgufWriter wide;
  wide.SetAlignment(256);
  wide.AddTensor("a", DType::kF32, {4}, SomeBytes(16));
  wide.AddTensor("b", DType::kF32, {4}, SomeBytes(16));
  const auto bytes = wide.Bytes();
  auto file = GgufFile::Parse(bytes, "m.gguf");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ((file->FindTensor("b")->data.data() - bytes.data()) % 256, 0);
  EXPECT_EQ(file->FindTensor("b")->data[1], std::byte{8});
  for (const std::uint32_t alignment : {0U, 4U, 24U, 0x80000000U}) {
    GgufWriter writer;
    writer.Set("general.alignment", alignment);
    EXPECT_THAT(GgufRefusal(writer), HasSubstr("general.alignment")) << alignment;
  }
  GgufWriter text;
  text.Set("general.alignment", "32");
  EXPECT_THAT(GgufRefusal(text), HasSubstr("not an unsigned integer"));
}

TEST(Gguf, HostileNamesStayPrintable) {
  GgufWriter writer;
  const std::string name = "\x1b[31m\n" + std::string(200, 'x');
  writer.Set(name, true);
  writer.Set(name, true);
  const std::string message = GgufRefusal(writer);
  EXPECT_THAT(message, HasSubstr("\\x1b[31m\\x0a"));
  EXPECT_LT(message.size(), 300U);
}

TEST(Gguf, FileWithoutTensorsNeedsNoDataSection) {
  GgufWriter writer;
  writer.Set("general.architecture", "llama");
  auto bytes = writer.Bytes();
  bytes.resize(24 + 8 + 20 + 4 + 8 + 5);  // header and the one entry, without padding
  EXPECT_EQ(GgufRefusal(bytes), "");
}

TEST(Gguf, ReadsVocabulariesInUse) {
  const std::filesystem::path folder = "../shared/data/vocabs";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  int read = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    if (item.path().extension() != ".gguf") continue;
    auto file = GgufFile::Open(item.path());
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_TRUE(file->GetString("tokenizer.ggml.model")) << item.path();
    EXPECT_GT(file->GetStrings("tokenizer.ggml.tokens").value()->size(), 1000U) << item.path();
    ++read;
  }
  EXPECT_GT(read, 0);
}

TEST(Gguf, DamagedBytesNeverCrash) {
  const auto bytes = SmallModel().Bytes();
  const bool held = rc::check([&bytes] {
    auto damaged = bytes;
    const auto count = *rc::gen::inRange(1, 5);
    for (int i = 0; i < count; ++i) {
      damaged[*rc::gen::inRange<std::size_t>(0, damaged.size())] =
          static_cast<std::byte>(*rc::gen::arbitrary<std::uint8_t>());
    }
    auto file = GgufFile::Parse(damaged, "m.gguf");
    if (!file) return;
    for (const GgufTensor& tensor : file->tensors()) {
      RC_ASSERT(tensor.data.data() >= damaged.data());
      RC_ASSERT(tensor.data.data() + tensor.data.size() <= damaged.data() + damaged.size());
    }
  });
  EXPECT_TRUE(held);
}

}  // namespace
}  // namespace switchyard::model
