// The orders of operators that gateways share in etcd: the last word on each thing that was ever
// ordered, by whom. A word is never taken away, only followed by another, so what is not in etcd,
// even if all of it was lost, changes nothing. On one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gateway/fleet.h"
#include "gateway/internal/etcd_client.h"
#include "gateway/registry.h"

namespace switchyard::gateway::internal {

class SharedOrders {
 public:
  // Those under `prefix`. `fleet` outlives it.
  SharedOrders(Fleet& fleet, std::string prefix) : fleet_(fleet), prefix_(std::move(prefix)) {}

  // What is to be written of an order that the fleet obeys here.
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
    std::int64_t revision = 0;  // 0: not written yet
  };
  Fleet& fleet_;
  const std::string prefix_;
  std::map<std::string, Word> words_;  // by key
};

}  // namespace switchyard::gateway::internal
