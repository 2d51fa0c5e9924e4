#include "gateway/internal/shared_orders.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "gateway/internal/clock_text.h"

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
  const auto time = is_object ? json->value("time", Json()) : Json();
  const auto given = time.is_string() ? ReadUtc(time.get<std::string>()) : std::nullopt;
  const bool is_time = given || time.is_null();  // earlier versions wrote none
  if (!actor.is_string() || !holds.is_boolean() || !is_time || order.what.empty() ||
      KeyOf(order) != key) {
    return Fail(ErrorCode::kDataLoss,
                "etcd's {} is no order: it needs 'actor', a text, 'holds', true or false, and "
                "'time', such as 2026-11-29T03:54:12.123456Z",
                entry.key);
  }
  order.holds = holds.get<bool>();
  order.actor = actor.get<std::string>();
  order.given = given.value_or(OrderTime{});
  return order;
}

// Without how this gateway came to know of it.
std::string_view WhoGave(const FleetOrder& order) {
  return std::string_view(order.actor).substr(0, order.actor.find(" ("));
}

bool IsTheSame(const FleetOrder& a, const FleetOrder& b) {
  const bool is_untimed = a.given == OrderTime{} || b.given == OrderTime{};
  return a.holds == b.holds && (is_untimed || a.given == b.given);
}

}  // namespace

SharedOrders::SharedOrders(Fleet& fleet, std::string prefix)
    : fleet_(fleet), prefix_(std::move(prefix)) {
  for (const FleetOrder& word : fleet_.words()) Given(word);
}

// An earlier version wrote no times. Against such a word counts what is still unwritten and was
// given since the start; of what is from before, what holds: to forbid too much is the lesser harm.
bool SharedOrders::IsLater(const Word& word, const FleetOrder& order) {
  if (!word.order) return false;
  if (order.given != OrderTime{}) return word.order->given > order.given;
  const bool is_restored = word.order->actor.ends_with(" (restored)");
  return word.revision == 0 && (word.order->holds || !is_restored);
}

EtcdEntry SharedOrders::Given(const FleetOrder& order) {
  const Json value{
      {"actor", WhoGave(order)}, {"holds", order.holds}, {"time", UtcText(order.given)}};
  EtcdEntry entry{prefix_ + KeyOf(order), base::WriteJson(value)};
  Word& word = words_[entry.key];
  // Another gateway's may have come meanwhile.
  if (IsLater(word, order)) return {entry.key, word.value};
  word = {entry.value, order};
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
  const auto [known, is_new] = words_.try_emplace(entry.key);
  Word& word = known->second;
  if (word.revision > revision) return {};  // it was given here after etcd answered
  if (!is_new && word.value == entry.value) {
    word.revision = std::max(word.revision, revision);
    return {};
  }
  auto order = ReadOrder(entry.key.substr(prefix_.size()), entry);
  if (!order) {
    if (word.order && word.revision == 0) return {};  // and is written over
    word = {entry.value, std::nullopt, revision};
    return std::unexpected(std::move(order.error()));
  }
  if (word.order && IsLater(word, *order)) {
    word.revision = 0;
    return {};
  }
  const bool is_news = !word.order || !IsTheSame(*word.order, *order);
  word = {entry.value, *order, revision};
  if (!is_news) return {};
  order->actor += " (at another gateway)";
  fleet_.Obey(std::move(*order));
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
