#include "gateway/internal/shared_orders.h"

#include <algorithm>
#include <utility>

#include "base/json.h"

namespace switchyard::gateway::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;

// "drain/maker=xco"; what follows the first stroke is whatever the operator named.
std::string KeyOf(const FleetOrder& order) {
  const bool drains = order.kind == OrderKind::kDrain;
  return (drains ? "drain/" : "forbid/") + order.what;
}

base::Result<FleetOrder> ReadOrder(std::string_view key, const EtcdEntry& entry) {
  const auto json = base::ParseJson(entry.value, "etcd's " + entry.key);
  if (!json) return Fail(ErrorCode::kDataLoss, "{}", json.error().message);
  FleetOrder order{.kind = key.starts_with("drain/") ? OrderKind::kDrain : OrderKind::kForbid,
                   .what = std::string(key.substr(key.find('/') + 1))};
  const bool is_object = json->is_object();
  const auto actor = is_object ? json->value("actor", Json()) : Json();
  const auto holds = is_object ? json->value("holds", Json()) : Json();
  if (!actor.is_string() || !holds.is_boolean() || order.what.empty() || KeyOf(order) != key) {
    return Fail(ErrorCode::kDataLoss,
                "etcd's {} is no order: it needs 'actor', a text, and 'holds', true or false",
                entry.key);
  }
  order.holds = holds.get<bool>();
  order.actor = actor.get<std::string>();
  return order;
}

}  // namespace

EtcdEntry SharedOrders::Given(const FleetOrder& order) {
  const Json value{{"actor", order.actor}, {"holds", order.holds}};
  EtcdEntry entry{prefix_ + KeyOf(order), base::WriteJson(value)};
  words_[entry.key] = {entry.value};
  return entry;
}

void SharedOrders::Written(const EtcdEntry& entry, std::int64_t revision) {
  Word& word = words_[entry.key];
  // Another may have been given meanwhile.
  if (word.value == entry.value) word.revision = revision;
}

std::vector<EtcdEntry> SharedOrders::Unwritten() const {
  std::vector<EtcdEntry> entries;
  for (const auto& [key, word] : words_) {
    if (word.revision == 0) entries.push_back({key, word.value});
  }
  return entries;
}

base::Status SharedOrders::Take(const EtcdEntry& entry, std::int64_t revision) {
  const auto known = words_.find(entry.key);
  if (known != words_.end()) {
    const Word& word = known->second;
    // It was given here after etcd answered, or is still to be written.
    if (word.revision == 0 || word.revision > revision) return {};
    if (word.value == entry.value) return {};
  }
  words_[entry.key] = {entry.value, revision};
  SWITCHYARD_TRY(FleetOrder order, ReadOrder(entry.key.substr(prefix_.size()), entry));
  order.actor += " (at another gateway)";
  fleet_.Obey(order);
  return {};
}

void SharedOrders::Meet(const EtcdRange& range) {
  for (auto& [key, word] : words_) {
    const bool is_there = std::ranges::any_of(
        range.entries, [&key = key](const EtcdEntry& entry) { return entry.key == key; });
    word.revision = is_there ? std::min(word.revision, range.revision) : 0;
  }
}

}  // namespace switchyard::gateway::internal
