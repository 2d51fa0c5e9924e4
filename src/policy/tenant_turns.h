// Whose turn it is among tenants: each has a counter of the tokens that it was served, and the one
// with the fewest goes first. Who comes back after a pause starts at the least of those who are
// there, so that nobody saves up turns. This is the virtual token counter of Sheng et al.,
// "Fairness in Serving Large Language Models" (OSDI '24, arXiv:2401.00588).
//
// Pure. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace switchyard::policy {

class TenantTurns {
 public:
  // A tenant by its number, which is its own as long as it has requests.
  using Tenant = std::uint32_t;

  Tenant Arrive(std::string_view name);  // with one more request
  void Leave(Tenant tenant);             // with one fewer
  void Charge(Tenant tenant, std::int64_t tokens) { counters_[tenant].served += tokens; }

  std::int64_t served(Tenant tenant) const { return counters_[tenant].served; }
  std::size_t known() const { return by_name_.size(); }

 private:
  struct Counter {
    std::string name;
    std::int64_t served = 0;
    std::int64_t requests = 0;
  };
  // Of those with requests; 0 if there are none.
  std::int64_t Least() const;
  void ForgetIdle(std::int64_t least);

  std::vector<Counter> counters_;
  std::vector<Tenant> unused_;
  std::map<std::string, Tenant, std::less<>> by_name_;
};

}  // namespace switchyard::policy
