#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "gateway/internal/etcd_client.h"
#include "gateway/internal/shared_orders.h"
#include "gateway/member_json.h"
#include "gateway/registry.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Result;
using internal::EtcdClient;
using internal::EtcdEntry;
using internal::EtcdRange;

// How often all is read, changes or not, so that nothing that a watch missed stays missed.
constexpr std::chrono::milliseconds kReadAgain{2'000};
constexpr std::chrono::milliseconds kTryAgain{500};
constexpr std::chrono::milliseconds kMaxAnswerTime{2'000};

class EtcdRegistry final : public Registry {
 public:
  EtcdRegistry(net::EventLoop& loop, Fleet& fleet, const RegistryConfig& config, base::LogSink log)
      : loop_(loop),
        fleet_(fleet),
        root_(config.prefix),
        prefix_(root_ + "members/"),
        lease_(std::chrono::ceil<std::chrono::seconds>(config.lease)),
        endpoints_(config.etcd),
        log_(std::move(log)),
        orders_(fleet, root_ + "orders/") {
    loop_.Run([this] {
      timer_ = loop_.NewTimer();
      Read();
    });
  }
  ~EtcdRegistry() override {
    loop_.Run([this] {
      timer_.reset();
      client_.reset();
    });
  }

  void Register(MemberConfig member, std::string actor, Done done) override {
    loop_.Post(
        [this, member = std::move(member), actor = std::move(actor), done = std::move(done)] {
          if (client_ == nullptr) return done(NoClient());
          const std::string value = base::WriteJson(MemberJson(member));
          const auto seen = seen_.find(member.name);
          // Wherever it registered: whoever renews the lease renews the member.
          if (seen == seen_.end() || seen->second.value != value)
            return Enter(member, value, actor, done);
          client_->KeepAlive(seen->second.lease, [=, this](base::Status status) {
            const bool is_over = !status && status.error().code == ErrorCode::kNotFound;
            is_over ? Enter(member, value, actor, done) : done(status);
          });
        });
  }

  void Remove(std::string name, std::string actor, Done done) override {
    loop_.Post([this, name = std::move(name), actor = std::move(actor), done = std::move(done)] {
      if (client_ == nullptr) return done(NoClient());
      client_->Delete(prefix_ + name, [this, name, actor, done](base::Status status) {
        if (status) Leave(name, actor);
        done(status);
      });
    });
  }

  void Share(FleetOrder order, Done done) override {
    loop_.Post([this, order = std::move(order), done = std::move(done)] {
      const EtcdEntry entry = orders_.Given(order);
      client_ == nullptr ? done(NoClient()) : Write(entry, done);
    });
  }

 private:
  struct Seen {
    std::string value;
    std::int64_t lease = 0;
    std::int64_t revision = 0;  // at which it was so
  };

  static base::Status NoClient() {
    return base::Fail(ErrorCode::kUnavailable, "etcd can't be asked; the gateway's log says why");
  }

  void Write(const EtcdEntry& order, const Done& done) {
    client_->Put(order, [this, order, done](Result<std::int64_t> revision) {
      if (revision) orders_.Written(order, *revision);
      if (done) done(revision ? base::Status() : std::unexpected(revision.error()));
    });
  }

  // Under a lease of its own.
  void Enter(const MemberConfig& member, const std::string& value, const std::string& actor,
             const Done& done) {
    client_->Grant(lease_, [=, this](Result<std::int64_t> lease) {
      if (!lease) return done(std::unexpected(lease.error()));
      const EtcdEntry entry{prefix_ + member.name, value, *lease};
      client_->Put(entry, [=, this, lease = *lease](Result<std::int64_t> at) {
        if (!at) return done(std::unexpected(at.error()));
        done(Join(member, {value, lease, *at}, actor));
      });
    });
  }

  base::Status Join(const MemberConfig& member, Seen seen, std::string actor) {
    seen_[member.name] = std::move(seen);
    return fleet_.Join(member, std::move(actor));
  }
  void Leave(const std::string& name, std::string actor) {
    if (seen_.erase(name) > 0) fleet_.Leave(name, std::move(actor));
  }

  void Read() {
    if (client_ == nullptr) {
      auto client = EtcdClient::Create(loop_, endpoints_, kMaxAnswerTime);
      if (!client) {
        Lost(client.error());
        return timer_->Start(kTryAgain, [this] { Read(); });
      }
      client_ = std::move(*client);
    }
    if (std::exchange(is_reading_, true)) {
      is_outdated_ = true;
      return;
    }
    client_->Range(root_, [this](Result<EtcdRange> range) {
      is_reading_ = false;
      range ? Took(*range) : Lost(range.error());
      if (range && std::exchange(is_outdated_, false)) return Read();
      timer_->Start(range ? kReadAgain : kTryAgain, [this] { Read(); });
    });
  }

  void Took(const EtcdRange& range) {
    const auto now = std::chrono::steady_clock::now();
    if (std::exchange(is_lost_, false)) {
      Log(base::LogLevel::kInfo, "etcd is back", {});
      absent_until_ = now + lease_;
      // One that has lost its files counts from the beginning.
      for (auto& [name, seen] : seen_) seen.revision = std::min(seen.revision, range.revision);
      orders_.Meet(range);
    }
    std::erase_if(refused_, [&](const auto& refused) {
      return std::ranges::none_of(range.entries, [&](const EtcdEntry& entry) {
        return entry.key == refused.first && entry.value == refused.second;
      });
    });
    std::map<std::string, Seen> gone;
    std::swap(gone, seen_);
    for (const EtcdEntry& entry : range.entries) {
      if (orders_.IsOne(entry)) {
        const auto status = orders_.Take(entry, range.revision);
        if (!status) Log(base::LogLevel::kWarn, "an order is unreadable", status.error().message);
        continue;
      }
      if (!entry.key.starts_with(prefix_)) continue;  // of a later version
      std::string name = entry.key.substr(prefix_.size());
      auto known = gone.extract(name);
      if (!known.empty() && known.mapped().revision > range.revision) {
        seen_.insert(std::move(known));
        continue;
      }
      Seen seen{entry.value, entry.lease, range.revision};
      const bool is_new = known.empty() || known.mapped().value != entry.value;
      if (is_new) {
        Take(entry, name, std::move(seen));
      } else {
        seen_[name] = std::move(seen);
      }
    }
    for (auto& [name, seen] : gone) {
      // It came after etcd answered, or could not renew while etcd was away and may do so now.
      const bool stays = seen.revision > range.revision || now < absent_until_;
      stays ? void(seen_[name] = std::move(seen)) : fleet_.Leave(name, "gateway");
    }
    if (!is_watching_) Watch(range.revision);
    for (const EtcdEntry& order : orders_.Unwritten()) Write(order, {});
  }

  void Take(const EtcdEntry& entry, const std::string& name, Seen seen) {
    if (refused_.contains(entry.key)) return;
    const auto member = ReadMember(entry.value, "etcd's " + entry.key);
    base::Status status;
    if (!member) {
      status = std::unexpected(member.error());
    } else if (member->name != name) {
      status = base::Fail(ErrorCode::kDataLoss, "etcd's {} names the member '{}'", entry.key,
                          member->name);
    } else {
      // With whose key, only the gateway that was asked knows.
      status = Join(*member, std::move(seen), "member/" + name + " (at another gateway)");
    }
    if (status) return;
    seen_.erase(name);
    refused_[entry.key] = entry.value;
    Log(base::LogLevel::kWarn, "a member in etcd can't be used", status.error().message);
  }

  void Watch(std::int64_t revision) {
    is_watching_ = true;
    client_->Watch(
        root_, revision, [this] { Read(); },
        // Reading again begins another.
        [this](const base::Error&) { is_watching_ = false; });
  }

  void Lost(const base::Error& error) {
    if (std::exchange(is_lost_, true)) return;
    Log(base::LogLevel::kWarn, "etcd is lost; the fleet stays as it is", error.message);
  }

  void Log(base::LogLevel level, std::string message, std::string why) const {
    base::LogRecord record{level, std::move(message), {}};
    if (!why.empty()) record.fields.push_back({"why", std::move(why)});
    if (log_) log_(record);
  }

  net::EventLoop& loop_;
  Fleet& fleet_;
  const std::string root_;    // of all keys
  const std::string prefix_;  // of members' keys
  const std::chrono::seconds lease_;
  const std::vector<std::string> endpoints_;
  const base::LogSink log_;
  // The loop's.
  internal::SharedOrders orders_;
  std::unique_ptr<EtcdClient> client_;
  std::unique_ptr<net::LoopTimer> timer_;
  std::map<std::string, Seen> seen_;            // by the member's name
  std::map<std::string, std::string> refused_;  // values that can't be used, by key: told once
  bool is_reading_ = false;
  bool is_outdated_ = false;  // something changed meanwhile
  bool is_watching_ = false;
  bool is_lost_ = false;
  std::chrono::steady_clock::time_point absent_until_;  // nobody leaves for not being in etcd
};

}  // namespace

std::unique_ptr<Registry> StartEtcdRegistry(net::EventLoop& loop, Fleet& fleet, base::LogSink log) {
  const auto view = fleet.snapshot();
  return std::make_unique<EtcdRegistry>(loop, fleet, view->config->registry, std::move(log));
}

std::unique_ptr<Registry> StartRegistry(net::EventLoop& loop, Fleet& fleet, base::LogSink log) {
  if (fleet.snapshot()->config->registry.etcd.empty()) return StartEmbeddedRegistry(loop, fleet);
  return StartEtcdRegistry(loop, fleet, std::move(log));
}

}  // namespace switchyard::gateway
