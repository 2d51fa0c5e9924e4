// Layout after the GGUF specification (ggml repository, docs/gguf.md): a header with two counts,
// the metadata, the tensor directory, padding to the alignment, the tensors' bytes.
#include "model/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>

#include "model/internal/extents.h"
#include "model/internal/printable.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Rethrow;
using base::Status;
using internal::Printable;
using tensor::DType;

static_assert(std::endian::native == std::endian::little, "GGUF fields are read as they lie");

constexpr std::uint64_t kDefaultAlignment = 32;
constexpr std::uint64_t kLargestAlignment = std::uint64_t{1} << 30;
constexpr std::uint64_t kLongestName = 65535;  // the specification's limit for keys
constexpr std::uint32_t kMaxGgufRank = 4;      // GGML_MAX_DIMS
constexpr std::uint64_t kLargestInt64 = std::numeric_limits<std::int64_t>::max();

// The least that one entry can occupy; bounds what a count may make us allocate.
constexpr std::uint64_t kMinMetadataBytes = 8 + 1 + 4 + 1;        // key length, key, type, value
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name, rank, a dim, type, offset

enum class ValueType : std::uint32_t {
  kUint8 = 0,
  kInt8 = 1,
  kUint16 = 2,
  kInt16 = 3,
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kUint64 = 10,
  kInt64 = 11,
  kFloat64 = 12,
};

// ggml's numbers for tensor types. Those without a dtype are named so that the refusal can say
// which format the file is in.
struct GgufType {
  std::uint32_t number;
  std::string_view name;
  std::optional<DType> dtype;
};

constexpr GgufType kGgufTypes[] = {
    {0, "F32", DType::kF32},        {1, "F16", DType::kF16},       {2, "Q4_0", DType::kQ4_0},
    {3, "Q4_1", DType::kQ4_1},      {6, "Q5_0", DType::kQ5_0},     {7, "Q5_1", DType::kQ5_1},
    {8, "Q8_0", DType::kQ8_0},      {9, "Q8_1", std::nullopt},     {10, "Q2_K", DType::kQ2_K},
    {11, "Q3_K", DType::kQ3_K},     {12, "Q4_K", DType::kQ4_K},    {13, "Q5_K", DType::kQ5_K},
    {14, "Q6_K", DType::kQ6_K},     {15, "Q8_K", std::nullopt},    {16, "IQ2_XXS", std::nullopt},
    {17, "IQ2_XS", std::nullopt},   {18, "IQ3_XXS", std::nullopt}, {19, "IQ1_S", std::nullopt},
    {20, "IQ4_NL", DType::kIQ4_NL}, {21, "IQ3_S", std::nullopt},   {22, "IQ2_S", std::nullopt},
    {23, "IQ4_XS", DType::kIQ4_XS}, {24, "I8", DType::kI8},        {25, "I16", std::nullopt},
    {26, "I32", DType::kI32},       {27, "I64", DType::kI64},      {28, "F64", std::nullopt},
    {29, "IQ1_M", std::nullopt},    {30, "BF16", DType::kBF16},    {34, "TQ1_0", std::nullopt},
    {35, "TQ2_0", std::nullopt},    {39, "MXFP4", DType::kMXFP4},
};

std::string SupportedTypes() {
  std::string list;
  for (const GgufType& type : kGgufTypes) {
    if (!type.dtype) continue;
    if (!list.empty()) list += ", ";
    list += type.name;
  }
  return list;
}

Result<DType> DTypeOfFile(std::uint32_t number) {
  const auto* found = std::ranges::find(kGgufTypes, number, &GgufType::number);
  if (found != std::end(kGgufTypes) && found->dtype) return *found->dtype;
  const std::string_view name = found == std::end(kGgufTypes) ? "unknown" : found->name;
  return Fail(ErrorCode::kUnimplemented,
              "type number {} ({}) is not supported; use a file whose tensors are of {}", number,
              name, SupportedTypes());
}

// A place in the file that moves forward. Failures name the field and what the file lacks.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::uint64_t position() const { return position_; }
  std::uint64_t remaining() const { return bytes_.size() - position_; }

  Status Need(std::uint64_t size, std::string_view field) const {
    if (size <= remaining()) return {};
    return Fail(ErrorCode::kDataLoss,
                "{} needs {} bytes at byte {} but the file ends after {}: the download is probably "
                "incomplete; fetch it again",
                field, size, position_, bytes_.size());
  }

  // A count of entries of at least `entry_bytes` each, which must fit in what is left of the file.
  Status NeedEntries(std::uint64_t count, std::uint64_t entry_bytes, std::string_view field) const {
    if (count <= remaining() / entry_bytes) return {};
    return Fail(
        ErrorCode::kDataLoss,
        "{} is {} but the {} bytes that follow byte {} hold at most {}: the file is damaged "
        "or incomplete; fetch it again",
        field, count, remaining(), position_, remaining() / entry_bytes);
  }

  template <typename T>
  Result<T> Read(std::string_view field) {
    SWITCHYARD_RETURN_IF_ERROR(Need(sizeof(T), field));
    return Take<T>();
  }

  // Only after Need.
  template <typename T>
  T Take() {
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }

  Result<std::string_view> ReadString(std::string_view field) {
    SWITCHYARD_TRY(const std::uint64_t length, Read<std::uint64_t>(field));
    SWITCHYARD_RETURN_IF_ERROR(Need(length, field));
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data() + position_), length);
    position_ += length;
    return text;
  }

  // A key or a tensor's name.
  Result<std::string_view> ReadName(std::string_view field) {
    const std::uint64_t start = position_;
    SWITCHYARD_TRY(const std::string_view name, ReadString(field));
    if (name.empty() || name.size() > kLongestName) {
      return Fail(ErrorCode::kInvalidArgument,
                  "{} at byte {} is {} bytes long but must be of 1 to {}: the file is damaged; "
                  "fetch or convert it again",
                  field, start, name.size(), kLongestName);
    }
    return name;
  }

 private:
  std::span<const std::byte> bytes_;
  std::uint64_t position_ = 0;
};

Result<bool> ReadBool(Cursor& cursor) {
  SWITCHYARD_TRY(const auto byte, cursor.Read<std::uint8_t>("its boolean"));
  if (byte > 1) {
    return Fail(ErrorCode::kInvalidArgument,
                "its boolean is {} but must be 0 or 1; the file is damaged: fetch it again", byte);
  }
  return byte == 1;
}

template <typename Stored, typename Widened>
Result<GgufValue> ReadNumber(Cursor& cursor) {
  SWITCHYARD_TRY(const Stored stored, cursor.Read<Stored>("its value"));
  return GgufValue(static_cast<Widened>(stored));
}

template <typename Stored, typename Widened>
Result<GgufValue> ReadNumbers(Cursor& cursor, std::uint64_t count) {
  SWITCHYARD_RETURN_IF_ERROR(cursor.NeedEntries(count, sizeof(Stored), "its array's length"));
  std::vector<Widened> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto stored = cursor.Take<Stored>();
    if constexpr (std::is_same_v<Stored, std::uint64_t>) {
      if (stored > kLargestInt64) {
        return Fail(
            ErrorCode::kOutOfRange,
            "element {} of its array is {}, more than 63 bits hold; convert the model again "
            "with smaller values",
            i, stored);
      }
    }
    values.push_back(static_cast<Widened>(stored));
  }
  return GgufValue(std::move(values));
}

Result<GgufValue> ReadBools(Cursor& cursor, std::uint64_t count) {
  SWITCHYARD_RETURN_IF_ERROR(cursor.NeedEntries(count, 1, "its array's length"));
  std::vector<bool> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    SWITCHYARD_TRY(const bool value, ReadBool(cursor));
    values.push_back(value);
  }
  return GgufValue(std::move(values));
}

Result<GgufValue> ReadStrings(Cursor& cursor, std::uint64_t count) {
  SWITCHYARD_RETURN_IF_ERROR(
      cursor.NeedEntries(count, sizeof(std::uint64_t), "its array's length"));
  std::vector<std::string_view> values;
  values.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    SWITCHYARD_TRY(const std::string_view value, cursor.ReadString("a string of its array"));
    values.push_back(value);
  }
  return GgufValue(std::move(values));
}

std::unexpected<base::Error> UnknownValueType(std::uint32_t type) {
  return Fail(ErrorCode::kInvalidArgument,
              "its value type {} is not one of GGUF's 0 to 12: the file is damaged, or newer than "
              "this program",
              type);
}

Result<GgufValue> ReadArray(Cursor& cursor) {
  SWITCHYARD_TRY(const auto type, cursor.Read<std::uint32_t>("its array's type"));
  SWITCHYARD_TRY(const auto count, cursor.Read<std::uint64_t>("its array's length"));
  switch (static_cast<ValueType>(type)) {
    case ValueType::kUint8:
      return ReadNumbers<std::uint8_t, std::int64_t>(cursor, count);
    case ValueType::kInt8:
      return ReadNumbers<std::int8_t, std::int64_t>(cursor, count);
    case ValueType::kUint16:
      return ReadNumbers<std::uint16_t, std::int64_t>(cursor, count);
    case ValueType::kInt16:
      return ReadNumbers<std::int16_t, std::int64_t>(cursor, count);
    case ValueType::kUint32:
      return ReadNumbers<std::uint32_t, std::int64_t>(cursor, count);
    case ValueType::kInt32:
      return ReadNumbers<std::int32_t, std::int64_t>(cursor, count);
    case ValueType::kUint64:
      return ReadNumbers<std::uint64_t, std::int64_t>(cursor, count);
    case ValueType::kInt64:
      return ReadNumbers<std::int64_t, std::int64_t>(cursor, count);
    case ValueType::kFloat32:
      return ReadNumbers<float, double>(cursor, count);
    case ValueType::kFloat64:
      return ReadNumbers<double, double>(cursor, count);
    case ValueType::kBool:
      return ReadBools(cursor, count);
    case ValueType::kString:
      return ReadStrings(cursor, count);
    case ValueType::kArray:
      return Fail(ErrorCode::kUnimplemented,
                  "it is an array of arrays, which no known model uses; remove the key from the "
                  "file");
  }
  return UnknownValueType(type);
}

Result<GgufValue> ReadValue(Cursor& cursor) {
  SWITCHYARD_TRY(const auto type, cursor.Read<std::uint32_t>("its value type"));
  switch (static_cast<ValueType>(type)) {
    case ValueType::kUint8:
      return ReadNumber<std::uint8_t, std::uint64_t>(cursor);
    case ValueType::kInt8:
      return ReadNumber<std::int8_t, std::int64_t>(cursor);
    case ValueType::kUint16:
      return ReadNumber<std::uint16_t, std::uint64_t>(cursor);
    case ValueType::kInt16:
      return ReadNumber<std::int16_t, std::int64_t>(cursor);
    case ValueType::kUint32:
      return ReadNumber<std::uint32_t, std::uint64_t>(cursor);
    case ValueType::kInt32:
      return ReadNumber<std::int32_t, std::int64_t>(cursor);
    case ValueType::kUint64:
      return ReadNumber<std::uint64_t, std::uint64_t>(cursor);
    case ValueType::kInt64:
      return ReadNumber<std::int64_t, std::int64_t>(cursor);
    case ValueType::kFloat32:
      return ReadNumber<float, double>(cursor);
    case ValueType::kFloat64:
      return ReadNumber<double, double>(cursor);
    case ValueType::kArray:
      return ReadArray(cursor);
    case ValueType::kBool: {
      SWITCHYARD_TRY(const bool value, ReadBool(cursor));
      return GgufValue(value);
    }
    case ValueType::kString: {
      SWITCHYARD_TRY(const std::string_view value, cursor.ReadString("its string"));
      return GgufValue(value);
    }
  }
  return UnknownValueType(type);
}

// Names what a file without GGUF's magic probably is, for the commonest mistakes.
std::string_view GuessWithoutMagic(std::string_view start) {
  if (start.starts_with("version https://git-lfs")) {
    return "it is a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'";
  }
  if (start.starts_with("<")) return "it looks like a web page; check the address it came from";
  if (start.starts_with("PK")) return "it looks like a zip or PyTorch file; convert it to GGUF";
  if (start.starts_with("lmgg") || start.starts_with("fmgg") || start.starts_with("tjgg")) {
    return "it is in a format older than GGUF; convert the original model again";
  }
  if (start.size() > 8 && start[8] == '{') {
    return "it looks like a safetensors file; give the folder that holds it and its config.json";
  }
  return "fetch it again, or convert the model to GGUF";
}

Result<std::uint32_t> ReadVersion(std::span<const std::byte> bytes, Cursor& cursor) {
  if (bytes.empty()) {
    return Fail(ErrorCode::kDataLoss, "the file is empty; fetch it again");
  }
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 32));
  if (!start.starts_with("GGUF")) {
    return Fail(ErrorCode::kInvalidArgument, "not a GGUF file (it begins with '{}'): {}",
                Printable(start.substr(0, 4)), GuessWithoutMagic(start));
  }
  SWITCHYARD_RETURN_IF_ERROR(cursor.Read<std::uint32_t>("the magic"));
  SWITCHYARD_TRY(const auto version, cursor.Read<std::uint32_t>("the version"));
  if (version == 2 || version == 3) return version;
  if (std::uint32_t swapped = __builtin_bswap32(version); swapped >= 1 && swapped <= 0xffff) {
    return Fail(ErrorCode::kUnimplemented,
                "the file is big-endian (version {}), which is not supported; fetch or convert the "
                "little-endian one",
                swapped);
  }
  return Fail(ErrorCode::kUnimplemented,
              "GGUF version {} is not supported, only 2 and 3 are; convert the model again with a "
              "current converter",
              version);
}

Result<std::uint64_t> AlignmentOf(const std::map<std::string_view, GgufValue>& metadata) {
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return kDefaultAlignment;
  const auto* value = std::get_if<std::uint64_t>(&found->second);
  if (value == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata key 'general.alignment' is not an unsigned integer; convert the model "
                "again");
  }
  // The specification asks for a multiple of 8; every reader in use asks for a power of two as
  // well.
  if (!std::has_single_bit(*value) || *value < 8 || *value > kLargestAlignment) {
    return Fail(ErrorCode::kInvalidArgument,
                "metadata key 'general.alignment' is {} but must be a power of two from 8 to {}; "
                "convert the model again",
                *value, kLargestAlignment);
  }
  return *value;
}

// Where a tensor claims to lie, before the alignment of the data section is known to hold it.
struct Claim {
  std::uint64_t offset = 0;  // from the start of the data section
  std::uint64_t bytes = 0;
};

Result<std::uint64_t> TensorBytes(const GgufTensor& entry) {
  std::int64_t elements = 1;
  for (const std::int64_t dim : entry.dims) {
    if (__builtin_mul_overflow(elements, dim, &elements)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "its dimensions multiply to more than 63 bits hold: the file is damaged; fetch it "
          "again");
    }
  }
  auto row_size = tensor::RowBytes(entry.dtype, entry.dims.back());
  if (!row_size) {
    row_size.error().message += "; convert the model again";
    return std::unexpected(std::move(row_size.error()));
  }
  const std::uint64_t row_bytes = *row_size;
  const auto rows = static_cast<std::uint64_t>(elements / entry.dims.back());
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(row_bytes, rows, &bytes)) {
    return Fail(ErrorCode::kInvalidArgument,
                "its size is more than 64 bits hold: the file is damaged; fetch it again");
  }
  return bytes;
}

// Everything of a directory entry after its name.
Result<Claim> ReadTensorEntry(Cursor& cursor, GgufTensor& entry) {
  SWITCHYARD_TRY(const auto rank, cursor.Read<std::uint32_t>("its rank"));
  if (rank < 1 || rank > kMaxGgufRank) {
    return Fail(ErrorCode::kInvalidArgument,
                "its rank is {} but must be 1 to {}: the file is damaged; fetch it again", rank,
                kMaxGgufRank);
  }
  entry.dims.resize(rank);
  for (std::uint32_t i = 0; i < rank; ++i) {
    SWITCHYARD_TRY(const auto dim, cursor.Read<std::uint64_t>("its dimensions"));
    if (dim < 1 || dim > kLargestInt64) {
      return Fail(ErrorCode::kInvalidArgument,
                  "its dimension {} is {} but must be 1 to {}: the file is damaged; fetch it again",
                  i, dim, kLargestInt64);
    }
    entry.dims[rank - 1 - i] = static_cast<std::int64_t>(dim);
  }
  SWITCHYARD_TRY(const auto type, cursor.Read<std::uint32_t>("its type"));
  SWITCHYARD_TRY(entry.dtype, DTypeOfFile(type));
  Claim claim;
  SWITCHYARD_TRY(claim.offset, cursor.Read<std::uint64_t>("its offset"));
  SWITCHYARD_TRY(claim.bytes, TensorBytes(entry));
  return claim;
}

Status CheckAlignment(const Claim& claim, std::uint64_t alignment) {
  if (claim.offset % alignment == 0) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "its offset {} is not a multiple of the file's alignment {} (general.alignment); "
              "convert the model again",
              claim.offset, alignment);
}

// The tensor's bytes, if they lie in the file.
Result<std::span<const std::byte>> SliceOf(std::span<const std::byte> bytes,
                                           std::uint64_t data_start, const Claim& claim) {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  if (__builtin_add_overflow(data_start, claim.offset, &begin) ||
      __builtin_add_overflow(begin, claim.bytes, &end)) {
    return Fail(ErrorCode::kInvalidArgument,
                "its offset {} and size {} add to more than 64 bits hold: the file is damaged; "
                "fetch it again",
                claim.offset, claim.bytes);
  }
  if (end > bytes.size()) {
    return Fail(
        ErrorCode::kDataLoss,
        "it ends at byte {} but the file has {}: the download is probably incomplete; fetch "
        "it again",
        end, bytes.size());
  }
  return bytes.subspan(begin, claim.bytes);
}

struct Directory {
  std::uint32_t version = 0;
  std::map<std::string_view, GgufValue> metadata;
  std::vector<GgufTensor> tensors;
  std::map<std::string_view, std::size_t> tensor_index;
};

Status ReadMetadata(Cursor& cursor, std::uint64_t count, Directory& directory) {
  SWITCHYARD_RETURN_IF_ERROR(
      cursor.NeedEntries(count, kMinMetadataBytes, "the count of metadata entries"));
  for (std::uint64_t i = 0; i < count; ++i) {
    auto key = cursor.ReadName("the key");
    if (!key) return Rethrow(std::move(key.error()), "metadata entry {} of {}", i, count);
    auto value = ReadValue(cursor);
    if (!value) return Rethrow(std::move(value.error()), "metadata key '{}'", Printable(*key));
    if (!directory.metadata.emplace(*key, std::move(*value)).second) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "metadata key '{}' occurs twice, so its value is in doubt; convert the model again",
          Printable(*key));
    }
  }
  return {};
}

Status ReadTensors(std::span<const std::byte> bytes, Cursor& cursor, std::uint64_t count,
                   Directory& directory) {
  SWITCHYARD_TRY(const std::uint64_t alignment, AlignmentOf(directory.metadata));
  SWITCHYARD_RETURN_IF_ERROR(cursor.NeedEntries(count, kMinTensorBytes, "the count of tensors"));
  std::vector<Claim> claims;
  for (std::uint64_t i = 0; i < count; ++i) {
    GgufTensor entry{};
    auto name = cursor.ReadName("the name");
    if (!name) return Rethrow(std::move(name.error()), "tensor {} of {}", i, count);
    entry.name = *name;
    auto claim = ReadTensorEntry(cursor, entry);
    if (!claim) return Rethrow(std::move(claim.error()), "tensor '{}'", Printable(*name));
    if (auto aligned = CheckAlignment(*claim, alignment); !aligned) {
      return Rethrow(std::move(aligned.error()), "tensor '{}'", Printable(*name));
    }
    if (!directory.tensor_index.emplace(*name, directory.tensors.size()).second) {
      return Fail(ErrorCode::kInvalidArgument,
                  "tensor '{}' occurs twice, so its contents are in doubt; convert the model again",
                  Printable(*name));
    }
    directory.tensors.push_back(std::move(entry));
    claims.push_back(*claim);
  }
  // The position is at most the file's size, so rounding it up by 2^30 cannot overflow.
  const std::uint64_t data_start = (cursor.position() + alignment - 1) / alignment * alignment;
  std::vector<internal::Extent> extents;
  extents.reserve(claims.size());
  for (std::size_t i = 0; i < claims.size(); ++i) {
    GgufTensor& entry = directory.tensors[i];
    auto slice = SliceOf(bytes, data_start, claims[i]);
    if (!slice) return Rethrow(std::move(slice.error()), "tensor '{}'", Printable(entry.name));
    entry.data = *slice;
    extents.push_back({entry.name, entry.data});
  }
  return internal::CheckNoOverlap(bytes, std::move(extents));
}

Result<Directory> ReadDirectory(std::span<const std::byte> bytes) {
  Cursor cursor(bytes);
  Directory directory;
  SWITCHYARD_TRY(directory.version, ReadVersion(bytes, cursor));
  SWITCHYARD_TRY(const auto tensor_count, cursor.Read<std::uint64_t>("the count of tensors"));
  SWITCHYARD_TRY(const auto key_count, cursor.Read<std::uint64_t>("the count of metadata entries"));
  SWITCHYARD_RETURN_IF_ERROR(ReadMetadata(cursor, key_count, directory));
  SWITCHYARD_RETURN_IF_ERROR(ReadTensors(bytes, cursor, tensor_count, directory));
  return directory;
}

std::string_view KindOf(const GgufValue& value) {
  static constexpr std::string_view kKinds[] = {
      "a boolean",          "an unsigned integer",  "a signed integer",     "a float",
      "a string",           "an array of booleans", "an array of integers", "an array of floats",
      "an array of strings"};
  static_assert(std::size(kKinds) == std::variant_size_v<GgufValue>);
  return kKinds[value.index()];
}

std::unexpected<base::Error> WrongKind(std::string_view subject, std::string_view key,
                                       const GgufValue& value, std::string_view wanted) {
  return Fail(ErrorCode::kInvalidArgument,
              "{}: metadata key '{}' is {} where {} is needed; convert the model again", subject,
              Printable(key), KindOf(value), wanted);
}

std::unexpected<base::Error> NoKey(std::string_view subject, std::string_view key) {
  return Fail(ErrorCode::kNotFound,
              "{}: metadata key '{}' is missing; convert the model again with a current converter",
              subject, Printable(key));
}

template <typename T>
Result<const T*> GetPointer(const GgufFile& file, std::string_view subject, std::string_view key,
                            std::string_view wanted) {
  const GgufValue* value = file.Find(key);
  if (value == nullptr) return NoKey(subject, key);
  const T* held = std::get_if<T>(value);
  if (held == nullptr) return WrongKind(subject, key, *value, wanted);
  return held;
}

}  // namespace

Result<GgufFile> GgufFile::Open(const std::filesystem::path& path) {
  SWITCHYARD_TRY(base::MappedFile mapped, base::MappedFile::Open(path));
  SWITCHYARD_TRY(GgufFile file, Parse(mapped.bytes(), path.string()));
  file.file_ = std::move(mapped);  // the mapping's address stays, so the views stay good
  return file;
}

Result<GgufFile> GgufFile::Parse(std::span<const std::byte> bytes, std::string_view subject) {
  auto directory = ReadDirectory(bytes);
  if (!directory) return Rethrow(std::move(directory.error()), "{}", subject);
  GgufFile file;
  file.subject_ = subject;
  file.version_ = directory->version;
  file.metadata_ = std::move(directory->metadata);
  file.tensors_ = std::move(directory->tensors);
  file.tensor_index_ = std::move(directory->tensor_index);
  return file;
}

const GgufValue* GgufFile::Find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

Result<std::string_view> GgufFile::GetString(std::string_view key) const {
  SWITCHYARD_TRY(const auto* value, GetPointer<std::string_view>(*this, subject_, key, "a string"));
  return *value;
}

Result<std::int64_t> GgufFile::GetInt(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return NoKey(subject_, key);
  if (const auto* held = std::get_if<std::int64_t>(value)) return *held;
  const auto* held = std::get_if<std::uint64_t>(value);
  if (held == nullptr) return WrongKind(subject_, key, *value, "an integer");
  if (*held > kLargestInt64) {
    return Fail(ErrorCode::kInvalidArgument,
                "{}: metadata key '{}' is {}, more than 63 bits hold; convert the model again",
                subject_, Printable(key), *held);
  }
  return static_cast<std::int64_t>(*held);
}

Result<double> GgufFile::GetFloat(std::string_view key) const {
  const GgufValue* value = Find(key);
  if (value == nullptr) return NoKey(subject_, key);
  if (const auto* held = std::get_if<double>(value)) return *held;
  if (const auto* held = std::get_if<std::int64_t>(value)) return static_cast<double>(*held);
  if (const auto* held = std::get_if<std::uint64_t>(value)) return static_cast<double>(*held);
  return WrongKind(subject_, key, *value, "a number");
}

Result<bool> GgufFile::GetBool(std::string_view key) const {
  SWITCHYARD_TRY(const auto* value, GetPointer<bool>(*this, subject_, key, "a boolean"));
  return *value;
}

Result<const std::vector<std::string_view>*> GgufFile::GetStrings(std::string_view key) const {
  return GetPointer<std::vector<std::string_view>>(*this, subject_, key, "an array of strings");
}

Result<const std::vector<std::int64_t>*> GgufFile::GetInts(std::string_view key) const {
  return GetPointer<std::vector<std::int64_t>>(*this, subject_, key, "an array of integers");
}

Result<const std::vector<double>*> GgufFile::GetFloats(std::string_view key) const {
  return GetPointer<std::vector<double>>(*this, subject_, key, "an array of floats");
}

const GgufTensor* GgufFile::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace switchyard::model
