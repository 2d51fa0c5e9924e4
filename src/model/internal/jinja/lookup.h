// How filters look into the items that they sort, map and select.
#pragma once

#include <vector>

#include "model/internal/jinja/value.h"

namespace switchyard::model::jinja {

// jinja2's make_attrgetter: "a.b.0" leads from an item to item["a"]["b"][0]; none or nothing to the
// item itself.
class AttributePath {
 public:
  // A text, an integer, none or kMissing. `otherwise` stands in for what is undefined, if given.
  AttributePath(Renderer& renderer, const Value& path, const Value& otherwise = {});

  Value Get(const Value& item) const;

 private:
  Renderer& renderer_;
  std::vector<Value> parts_;
  Value otherwise_;
};

// A text in lower case, anything else as it is: what sort compares unless told otherwise.
Value IgnoreCase(Arena& arena, const Value& value);

}  // namespace switchyard::model::jinja
