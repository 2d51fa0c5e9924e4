// Any bytes as JSON: refused, or equal to itself after being written and read again. The tree and
// the event reader agree on what JSON is.
#include <cstdlib>

#include "base/json.h"
#include "model/internal/json_walk.h"

namespace {

using switchyard::base::Status;
using switchyard::model::internal::JsonPath;

class Ignore : public switchyard::model::internal::JsonEvents {
 public:
  Status OnObject(JsonPath) override { return {}; }
  Status OnArray(JsonPath) override { return {}; }
  Status OnString(JsonPath, std::string_view) override { return {}; }
  Status OnUnsigned(JsonPath, std::uint64_t) override { return {}; }
  Status OnOther(JsonPath) override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto json = switchyard::base::ParseJson(text, "fuzz");
  Ignore events;
  const bool walked = switchyard::model::internal::WalkJson(text, events).has_value();
  if (walked && !json) std::abort();
  if (!json) return 0;
  auto again = switchyard::base::ParseJson(json->dump(), "fuzz");
  if (!again || *again != *json) std::abort();
  return 0;
}
