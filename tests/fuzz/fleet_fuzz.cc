// What a gateway reads of its fleet: fleet.toml, rules, and members as they register themselves.
#include <cstdlib>
#include <string_view>

#include "gateway/fleet.h"
#include "gateway/member_json.h"
#include "policy/export_rule_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto config = gateway::ParseFleetConfig(text, "fleet.toml", "/nowhere")) {
    gateway::Fleet fleet(*config);
    static_cast<void>(gateway::FleetJson(fleet).dump(-1, ' ', false,
                                                     base::Json::error_handler_t::replace));
    static_cast<void>(fleet.Route({.model = "m"}));
  }
  if (const auto rules = policy::ParseExportRules(text, "rules.toml")) {
    policy::ChipUse use;
    use.date = {std::chrono::year(2026), std::chrono::month(11), std::chrono::day(29)};
    static_cast<void>(policy::Advise(*rules, use, {}).Explain());
  }
  if (const auto member = gateway::ReadMember(text, "a member")) {
    const auto again = gateway::ReadMember(gateway::MemberJson(*member).dump(), "a member");
    if (!again || !(*again == *member)) std::abort();
  }
  return 0;
}
