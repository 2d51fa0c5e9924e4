#include "gateway/member_links.h"

namespace switchyard::gateway {

base::Result<MemberLink> MemberLinks::Find(const MemberConfig& member) {
  auto origin = origins_.find(member.url);
  if (origin == origins_.end()) {
    SWITCHYARD_TRY(auto parsed, net::ParseOrigin(member.url));
    origin = origins_.emplace(member.url, std::move(parsed)).first;
  }
  auto client = clients_.find(member.ca_file);
  if (client == clients_.end()) {
    SWITCHYARD_TRY(auto created, net::HttpClient::Create(loop_, {.ca_file = member.ca_file}));
    client = clients_.emplace(member.ca_file, std::move(created)).first;
  }
  return MemberLink{client->second.get(), &origin->second};
}

}  // namespace switchyard::gateway
