#include "policy/route_facts.h"

namespace switchyard::policy {

std::string_view SideOf(const Place& place, std::string_view key) {
  if (key == "maker") return place.maker;
  if (key == "chip") return place.chip;
  if (key == "region") return place.region;
  if (key == "jurisdiction") return place.jurisdiction;
  if (key == "owner") return place.owner == Owner::kOwn ? "own" : "rented";
  return {};
}

bool IsPlaceKey(std::string_view key) {
  return key == "maker" || key == "chip" || key == "region" || key == "jurisdiction" ||
         key == "owner";
}

}  // namespace switchyard::policy
