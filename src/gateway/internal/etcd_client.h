// What a registry asks of etcd 3, by its HTTP and JSON gateway: keys that live as long as a lease,
// and word of their changes. Any of a cluster's endpoints will do: one that does not answer is
// passed over. On the loop only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/event_loop.h"

namespace switchyard::gateway::internal {

struct EtcdEntry {
  std::string key;
  std::string value;
  std::int64_t lease = 0;
};

struct EtcdRange {
  std::vector<EtcdEntry> entries;
  std::int64_t revision = 0;
};

class EtcdClient {
 public:
  template <typename T>
  using Told = std::function<void(base::Result<T>)>;

  // kInvalidArgument: `endpoints` holds what is no URL. `loop` outlives the client.
  static base::Result<std::unique_ptr<EtcdClient>> Create(net::EventLoop& loop,
                                                          const std::vector<std::string>& endpoints,
                                                          std::chrono::milliseconds total);
  // Ends what is in progress, without a word.
  virtual ~EtcdClient() = default;

  // Each is told once, never before the call returns.
  virtual void Grant(std::chrono::seconds time, Told<std::int64_t> lease) = 0;
  // kNotFound: there is no such lease any more.
  virtual void KeepAlive(std::int64_t lease, Told<void> told) = 0;
  virtual void Put(const EtcdEntry& entry, Told<std::int64_t> revision) = 0;
  virtual void Delete(const std::string& key, Told<void> told) = 0;
  virtual void Range(const std::string& prefix, Told<EtcdRange> told) = 0;
  // `changed` is called when keys under `prefix` changed after `revision`; a call takes the place
  // of the one before. `ended` is called once when no more will come.
  virtual void Watch(const std::string& prefix, std::int64_t revision,
                     std::function<void()> changed, std::function<void(base::Error)> ended) = 0;
};

}  // namespace switchyard::gateway::internal
