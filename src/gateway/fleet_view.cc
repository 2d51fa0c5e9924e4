#include "gateway/fleet_view.h"

#include <algorithm>

namespace switchyard::gateway {

const ModelState* Member::Model(std::string_view model) const {
  const auto found = std::ranges::find_if(state->models, [model](const ModelState& known) {
    return known.name == model || known.IsCalled(model);
  });
  return found == state->models.end() ? nullptr : &*found;
}

const Member* FleetView::Find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(members, [&](const Member& member) { return member.name() == name; });
  return found == members.end() ? nullptr : &*found;
}

std::vector<std::string> FleetView::Models() const {
  std::vector<std::string> names;
  for (const Member& member : members) {
    for (const ModelState& model : member.state->models) names.push_back(model.name);
  }
  std::ranges::sort(names);
  const auto doubled = std::ranges::unique(names);
  names.erase(doubled.begin(), doubled.end());
  return names;
}

}  // namespace switchyard::gateway
