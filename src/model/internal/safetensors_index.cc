#include "model/internal/safetensors_index.h"

#include <string_view>
#include <utility>

#include "model/internal/json_walk.h"
#include "model/internal/printable.h"

namespace switchyard::model::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Status;

constexpr std::size_t kLongestIndex = 100'000'000;
constexpr std::string_view kShardSuffix = ".safetensors";

// Collects weight_map: which shard has which tensor.
class IndexEvents : public JsonEvents {
 public:
  std::vector<ShardPlace> TakePlaces() { return std::move(places_); }

  Status OnObject(JsonPath path) override {
    if (path.size() == 1 && path[0] == "weight_map") has_map_ = true;
    return InMap(path) ? Unexpected(path) : Status();
  }
  Status OnArray(JsonPath path) override { return InMap(path) ? Unexpected(path) : Status(); }
  Status OnString(JsonPath path, std::string_view value) override {
    if (!InMap(path)) return {};
    if (!IsPlainShardName(value)) {
      return Fail(
          ErrorCode::kInvalidArgument,
          "weight_map places tensor '{}' in '{}', which is not the name of a {} file beside "
          "the index; fetch the index again from a source you trust",
          Printable(path[1]), Printable(value), kShardSuffix);
    }
    places_.push_back({path[1], std::string(value)});
    return {};
  }
  Status OnUnsigned(JsonPath path, std::uint64_t) override { return OnOther(path); }
  Status OnOther(JsonPath path) override { return InMap(path) ? Unexpected(path) : Status(); }

 private:
  bool InMap(JsonPath path) const {
    return has_map_ && path.size() >= 2 && path[0] == "weight_map";
  }
  // A name that could lead out of the folder would let an index have any file read.
  static bool IsPlainShardName(std::string_view name) {
    return name.size() > kShardSuffix.size() && name.size() <= 255 &&
           name.ends_with(kShardSuffix) && name.front() != '.' &&
           name.find_first_of(std::string_view("/\\:\0", 4)) == std::string_view::npos;
  }
  static Status Unexpected(JsonPath path) {
    return Fail(ErrorCode::kInvalidArgument,
                "weight_map's entry '{}' is not the name of a file: the index is damaged; fetch it "
                "again",
                Printable(path[1]));
  }

  bool has_map_ = false;
  std::vector<ShardPlace> places_;
};

}  // namespace

base::Result<std::vector<ShardPlace>> ParseSafetensorsIndex(std::span<const std::byte> text) {
  if (text.size() > kLongestIndex) {
    return Fail(ErrorCode::kInvalidArgument,
                "the index has {} bytes, above the limit of {}; fetch it again", text.size(),
                kLongestIndex);
  }
  IndexEvents events;
  SWITCHYARD_RETURN_IF_ERROR(
      WalkJson({reinterpret_cast<const char*>(text.data()), text.size()}, events));
  std::vector<ShardPlace> places = events.TakePlaces();
  if (places.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "the index has no weight_map that names any tensor; fetch it again");
  }
  return places;
}

}  // namespace switchyard::model::internal
