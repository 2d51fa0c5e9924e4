// The orders of operators that gateways share in etcd: the last word on each thing that was ever
// ordered, by whom and when. A word is never taken away, only followed by another, so what is not
// in etcd, even if all of it was lost, changes nothing. Of two words on one thing the later counts,
// by the times at which they were given; a gateway gives none that is earlier than one it knows. So
// an order that was given while etcd was away survives a restart and reaches the others, unless
// somebody has said something since. On one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/fleet.h"
#include "gateway/internal/etcd_client.h"
#include "gateway/registry.h"

namespace switchyard::gateway::internal {

class SharedOrders {
 public:
  // Those under `prefix`. What the fleet was told before, from its audit log, is to be written too.
  // `fleet` outlives it.
  SharedOrders(Fleet& fleet, std::string prefix);

  // What is to be written of an order as the fleet obeyed it here.
  EtcdEntry Given(const FleetOrder& order);
  // It lies in etcd since `revision`.
  void Written(const EtcdEntry& entry, std::int64_t revision);
  // What was given here while etcd did not take it.
  std::vector<EtcdEntry> Unwritten() const;

  bool IsOne(const EtcdEntry& entry) const { return entry.key.starts_with(prefix_); }
  // As etcd had it at `revision`; obeyed if it is news. kDataLoss: it is no order; told once.
  base::Status Take(const EtcdEntry& entry, std::int64_t revision);
  // After etcd was away: one that has lost its files counts from the beginning, and is told again
  // what it has forgotten.
  void Meet(const EtcdRange& range);

 private:
  struct Word {
    std::string value;
    std::optional<FleetOrder> order = {};  // none: the value is none
    std::int64_t revision = 0;             // 0: not written yet
  };
  static bool IsLater(const Word& word, const FleetOrder& order);

  Fleet& fleet_;
  const std::string prefix_;
  std::map<std::string, Word> words_;  // by key
};

}  // namespace switchyard::gateway::internal
