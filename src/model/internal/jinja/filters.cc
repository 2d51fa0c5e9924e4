#include "model/internal/jinja/filters.h"

#include <algorithm>

namespace switchyard::model::jinja {

const FilterEntry* FindFilter(std::string_view name) {
  for (const auto filters : {TextFilters(), NumberFilters(), SequenceFilters(), OrderFilters()}) {
    const auto found = std::find_if(filters.begin(), filters.end(),
                                    [name](const FilterEntry& f) { return f.name == name; });
    if (found != filters.end()) return &*found;
  }
  return nullptr;
}

}  // namespace switchyard::model::jinja
