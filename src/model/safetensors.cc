// Layout after the safetensors format's description: the header's length in 8 bytes, the header (a
// JSON object: name to dtype, shape and offsets into what follows), the tensors' bytes.
#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "model/internal/extents.h"
#include "model/internal/json_walk.h"
#include "model/internal/printable.h"
#include "model/internal/safetensors_index.h"

namespace switchyard::model {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Result;
using base::Rethrow;
using base::Status;
using internal::JsonPath;
using internal::Printable;
using tensor::DType;

static_assert(std::endian::native == std::endian::little, "the length is read as it lies");

constexpr std::uint64_t kLongestHeader = 100'000'000;  // the reference implementation's limit
constexpr std::size_t kMaxSafetensorsRank = 8;
constexpr std::string_view kMetadataKey = "__metadata__";

struct SafetensorsType {
  std::string_view name;
  DType dtype;
};
constexpr SafetensorsType kSafetensorsTypes[] = {{"F32", DType::kF32},   {"F16", DType::kF16},
                                                 {"BF16", DType::kBF16}, {"I8", DType::kI8},
                                                 {"I32", DType::kI32},   {"I64", DType::kI64}};

Result<DType> DTypeOfFile(std::string_view name) {
  const auto* found = std::ranges::find(kSafetensorsTypes, name, &SafetensorsType::name);
  if (found != std::end(kSafetensorsTypes)) return found->dtype;
  return Fail(ErrorCode::kUnimplemented,
              "its dtype '{}' is not supported; use a checkpoint in F32, F16 or BF16 (I8, I32 and "
              "I64 can be read too)",
              Printable(name));
}

// A header's entry as it is read, field by field.
struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> dims;
  std::optional<std::vector<std::uint64_t>> offsets;
};

// Collects the header's entries. Paths are [], [name], [name, field], [name, field, ""].
class HeaderEvents : public internal::JsonEvents {
 public:
  std::vector<Entry> TakeEntries() { return std::move(entries_); }

  Status OnObject(JsonPath path) override {
    if (path.empty() || IsMetadata(path)) return {};
    if (path.size() == 1) {
      entries_.push_back({path[0], {}, {}, {}});
      return {};
    }
    return IsKnownField(path) ? Unexpected(path) : Status();
  }

  Status OnArray(JsonPath path) override {
    if (!path.empty() && IsMetadata(path)) return {};
    if (path.size() >= 2 && !IsKnownField(path)) return {};
    if (path.size() != 2 || path[1] == "dtype") return Unexpected(path);
    Entry& entry = entries_.back();
    if (path[1] == "shape") {
      if (entry.dims) return Twice(path);
      entry.dims.emplace();
    } else {
      if (entry.offsets) return Twice(path);
      entry.offsets.emplace();
    }
    return {};
  }

  Status OnString(JsonPath path, std::string_view value) override {
    if (!path.empty() && IsMetadata(path)) return {};
    if (path.size() < 2) return Unexpected(path);
    if (path.size() != 2 || path[1] != "dtype") {
      return IsKnownField(path) ? Unexpected(path) : Status();
    }
    Entry& entry = entries_.back();
    if (entry.dtype) return Twice(path);
    auto dtype = DTypeOfFile(value);
    if (!dtype) return Rethrow(std::move(dtype.error()), "tensor '{}'", Printable(path[0]));
    entry.dtype = *dtype;
    return {};
  }

  Status OnUnsigned(JsonPath path, std::uint64_t value) override {
    if (!path.empty() && IsMetadata(path)) return {};
    if (path.size() < 2) return Unexpected(path);
    if (!IsKnownField(path)) return {};
    if (path.size() != 3) return Unexpected(path);
    Entry& entry = entries_.back();
    if (path[1] == "data_offsets" && entry.offsets && entry.offsets->size() < 2) {
      entry.offsets->push_back(value);
      return {};
    }
    if (path[1] == "shape" && entry.dims && entry.dims->size() < kMaxSafetensorsRank &&
        value <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      entry.dims->push_back(static_cast<std::int64_t>(value));
      return {};
    }
    return Fail(
        ErrorCode::kInvalidArgument,
        "tensor '{}': its {} has a value too many or too large ({}); a shape has at most {} "
        "dimensions and data_offsets are two numbers: fetch the file again",
        Printable(path[0]), Printable(path[1]), value, kMaxSafetensorsRank);
  }

  Status OnOther(JsonPath path) override {
    if (!path.empty() && IsMetadata(path)) return {};
    return path.size() >= 2 && !IsKnownField(path) ? Status() : Unexpected(path);
  }

 private:
  // Whatever is in there is not ours to judge.
  static bool IsMetadata(JsonPath path) { return path[0] == kMetadataKey; }
  // Fields unknown to this program are passed over, as later versions of the format may add some.
  static bool IsKnownField(JsonPath path) {
    return path[1] == "dtype" || path[1] == "shape" || path[1] == "data_offsets";
  }
  static Status Unexpected(JsonPath path) {
    const std::string place =
        path.empty()       ? "the header"
        : path.size() == 1 ? "tensor '" + Printable(path[0]) + "'"
                           : "tensor '" + Printable(path[0]) + "': its " + Printable(path[1]);
    return Fail(ErrorCode::kInvalidArgument,
                "{} is not of the kind that the format asks for (an object of dtype, shape and "
                "data_offsets for each tensor): the file is damaged; fetch it again",
                place);
  }
  static Status Twice(JsonPath path) {
    return Fail(ErrorCode::kInvalidArgument,
                "tensor '{}': its {} occurs twice; fetch or convert the file again",
                Printable(path[0]), path[1]);
  }

  std::vector<Entry> entries_;
};

Result<std::uint64_t> SizeOf(DType dtype, const std::vector<std::int64_t>& dims) {
  std::uint64_t bytes = static_cast<std::uint64_t>(tensor::Traits(dtype).block_bytes);
  for (const std::int64_t dim : dims) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(dim), &bytes)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "its shape multiplies to more than 64 bits hold: the file is damaged; fetch it "
                  "again");
    }
  }
  return bytes;
}

Result<SafetensorsTensor> TensorOf(Entry entry, std::span<const std::byte> data) {
  if (!entry.dtype || !entry.dims || !entry.offsets || entry.offsets->size() != 2) {
    return Fail(ErrorCode::kInvalidArgument, "it lacks its {}: the file is damaged; fetch it again",
                !entry.dtype  ? "dtype"
                : !entry.dims ? "shape"
                              : "two data_offsets");
  }
  const std::uint64_t begin = (*entry.offsets)[0];
  const std::uint64_t end = (*entry.offsets)[1];
  if (begin > end) {
    return Fail(ErrorCode::kInvalidArgument,
                "its data_offsets {} and {} are the wrong way round: the file is damaged; fetch it "
                "again",
                begin, end);
  }
  if (end > data.size()) {
    return Fail(
        ErrorCode::kDataLoss,
        "it ends at byte {} of the tensors' bytes but the file has {} of them: the download "
        "is probably incomplete; fetch it again",
        end, data.size());
  }
  SWITCHYARD_TRY(const std::uint64_t size, SizeOf(*entry.dtype, *entry.dims));
  if (size != end - begin) {
    return Fail(ErrorCode::kInvalidArgument,
                "its shape and dtype need {} bytes but its data_offsets span {}: the file is "
                "damaged; fetch it again",
                size, end - begin);
  }
  return SafetensorsTensor{std::move(entry.name), *entry.dtype, std::move(*entry.dims),
                           data.subspan(begin, size)};
}

Result<std::vector<SafetensorsTensor>> ReadFile(std::span<const std::byte> bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length)) {
    return Fail(ErrorCode::kDataLoss,
                "the file has {} bytes, too few for a safetensors file: the download is probably "
                "incomplete; fetch it again",
                bytes.size());
  }
  std::memcpy(&length, bytes.data(), sizeof(length));
  const std::span<const std::byte> rest = bytes.subspan(sizeof(length));
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<std::size_t>(bytes.size(), 32));
  if (start.starts_with("version https://git-lfs")) {
    return Fail(ErrorCode::kInvalidArgument,
                "it is a Git LFS pointer, not the file itself; fetch it with 'git lfs pull'");
  }
  if (length > kLongestHeader) {
    return Fail(ErrorCode::kInvalidArgument,
                "its header is said to be {} bytes long, above the limit of {}: not a safetensors "
                "file, or a damaged one; fetch it again",
                length, kLongestHeader);
  }
  if (length > rest.size()) {
    return Fail(ErrorCode::kDataLoss,
                "its header is {} bytes long but the file ends after {}: the download is probably "
                "incomplete; fetch it again",
                length, rest.size());
  }
  HeaderEvents events;
  const std::string_view header(reinterpret_cast<const char*>(rest.data()), length);
  if (auto walked = internal::WalkJson(header, events); !walked) {
    return Rethrow(std::move(walked.error()), "header");
  }
  std::vector<SafetensorsTensor> tensors;
  std::vector<internal::Extent> extents;
  std::vector<Entry> entries = events.TakeEntries();
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    const std::string name = Printable(entry.name);
    auto read = TensorOf(std::move(entry), rest.subspan(length));
    if (!read) return Rethrow(std::move(read.error()), "tensor '{}'", name);
    tensors.push_back(std::move(*read));
    extents.push_back({tensors.back().name, tensors.back().data});
  }
  SWITCHYARD_RETURN_IF_ERROR(internal::CheckNoOverlap(bytes, std::move(extents)));
  std::ranges::sort(tensors, {},
                    [](const SafetensorsTensor& tensor) { return tensor.data.data(); });
  return tensors;
}

Status CheckAllPresent(const std::filesystem::path& folder, const std::set<std::string>& shards) {
  std::string first;
  std::size_t missing = 0;
  for (const std::string& shard : shards) {
    std::error_code error;
    if (std::filesystem::exists(folder / shard, error)) continue;
    if (missing++ == 0) first = shard;
  }
  if (missing == 0) return {};
  return Fail(ErrorCode::kNotFound,
              "{} of {} shards are missing from '{}', such as '{}': the download is probably "
              "incomplete; fetch them again",
              missing, shards.size(), folder.string(), Printable(first));
}

}  // namespace

Result<SafetensorsWeights> SafetensorsWeights::Open(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    const auto index = path / "model.safetensors.index.json";
    if (std::filesystem::exists(index, error)) return OpenSharded(index);
    const auto single = path / "model.safetensors";
    if (std::filesystem::exists(single, error)) return Open(single);
    return Fail(ErrorCode::kNotFound,
                "'{}' holds neither model.safetensors nor model.safetensors.index.json; give the "
                "folder of a Hugging Face model in safetensors format",
                path.string());
  }
  if (path.extension() == ".json") return OpenSharded(path);
  SWITCHYARD_TRY(base::MappedFile mapped, base::MappedFile::Open(path));
  SWITCHYARD_TRY(SafetensorsWeights weights, Parse(mapped.bytes(), path.string()));
  weights.files_.push_back(std::move(mapped));
  return weights;
}

Result<SafetensorsWeights> SafetensorsWeights::OpenSharded(const std::filesystem::path& index) {
  const std::string subject = index.string();
  SWITCHYARD_TRY(const base::MappedFile mapped, base::MappedFile::Open(index));
  auto places = internal::ParseSafetensorsIndex(mapped.bytes());
  if (!places) return Rethrow(std::move(places.error()), "{}", subject);
  std::set<std::string> shards;
  for (const auto& place : *places) shards.insert(place.shard);
  const auto folder = index.parent_path();
  if (auto present = CheckAllPresent(folder, shards); !present) {
    return Rethrow(std::move(present.error()), "{}", subject);
  }
  SafetensorsWeights weights;
  std::map<std::string, std::size_t> first_tensor;  // of each shard, in weights.tensors_
  for (const std::string& shard : shards) {
    SWITCHYARD_TRY(base::MappedFile file, base::MappedFile::Open(folder / shard));
    auto tensors = ReadFile(file.bytes());
    if (!tensors) return Rethrow(std::move(tensors.error()), "{}", (folder / shard).string());
    first_tensor[shard] = weights.tensors_.size();
    std::ranges::move(*tensors, std::back_inserter(weights.tensors_));
    weights.files_.push_back(std::move(file));
  }
  SWITCHYARD_RETURN_IF_ERROR(weights.BuildIndex(subject));
  for (const auto& place : *places) {
    const auto found = weights.tensor_index_.find(place.tensor);
    const auto next_shard = first_tensor.upper_bound(place.shard);
    const std::size_t end =
        next_shard == first_tensor.end() ? weights.tensors_.size() : next_shard->second;
    if (found != weights.tensor_index_.end() && found->second >= first_tensor[place.shard] &&
        found->second < end) {
      continue;
    }
    return Fail(
        ErrorCode::kInvalidArgument,
        "{}: weight_map places tensor '{}' in '{}', which does not have it; fetch the index "
        "and the shard again, from the same revision",
        subject, Printable(place.tensor), place.shard);
  }
  return weights;
}

Result<SafetensorsWeights> SafetensorsWeights::Parse(std::span<const std::byte> bytes,
                                                     std::string_view subject) {
  auto tensors = ReadFile(bytes);
  if (!tensors) return Rethrow(std::move(tensors.error()), "{}", subject);
  SafetensorsWeights weights;
  weights.tensors_ = std::move(*tensors);
  SWITCHYARD_RETURN_IF_ERROR(weights.BuildIndex(subject));
  return weights;
}

Status SafetensorsWeights::BuildIndex(std::string_view subject) {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensor_index_.emplace(tensors_[i].name, i).second) continue;
    return Fail(ErrorCode::kInvalidArgument,
                "{}: tensor '{}' occurs twice, so its contents are in doubt; fetch or convert the "
                "model again",
                subject, Printable(tensors_[i].name));
  }
  return {};
}

const SafetensorsTensor* SafetensorsWeights::FindTensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

}  // namespace switchyard::model
