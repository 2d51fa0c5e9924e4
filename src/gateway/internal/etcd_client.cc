#include "gateway/internal/etcd_client.h"

#include <charconv>
#include <map>
#include <utility>

#include "base/base64.h"
#include "base/json.h"
#include "net/http_client.h"
#include "net/http_fetch.h"
#include "net/url.h"

namespace switchyard::gateway::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Json;
using base::Result;

constexpr std::size_t kMaxEtcdAnswer = 64 << 20;
constexpr std::size_t kMaxLine = 4 << 20;  // of a watch
constexpr int kNotFound = 5;               // gRPC's code

// etcd writes 64-bit numbers as texts; what is 0 it leaves out.
std::int64_t Number(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return 0;
  if (found->is_number_integer()) return found->get<std::int64_t>();
  std::int64_t number = 0;
  if (found->is_string()) {
    const auto& text = found->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

Result<std::string> Bytes(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return std::string();
  if (!found->is_string()) return Fail(ErrorCode::kDataLoss, "'{}' is not a text", key);
  return base::FromBase64(found->get_ref<const std::string&>());
}

// The first key behind all that begin with `prefix`.
std::string EndOf(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (prefix.empty()) return std::string(1, '\0');  // all keys
  ++prefix.back();
  return prefix;
}

Json KeysUnder(const std::string& prefix) {
  return {{"key", base::ToBase64(prefix)}, {"range_end", base::ToBase64(EndOf(prefix))}};
}

Result<EtcdRange> ReadRange(const Json& json) {
  EtcdRange range;
  const auto header = json.find("header");
  if (header == json.end() || !header->is_object()) {
    return Fail(ErrorCode::kDataLoss, "etcd's answer has no header");
  }
  range.revision = Number(*header, "revision");
  const auto entries = json.find("kvs");
  if (entries == json.end()) return range;
  if (!entries->is_array()) return Fail(ErrorCode::kDataLoss, "etcd's 'kvs' is no list");
  for (const Json& entry : *entries) {
    if (!entry.is_object()) return Fail(ErrorCode::kDataLoss, "etcd's 'kvs' holds no objects");
    EtcdEntry read;
    SWITCHYARD_TRY(read.key, Bytes(entry, "key"));
    SWITCHYARD_TRY(read.value, Bytes(entry, "value"));
    read.lease = Number(entry, "lease");
    range.entries.push_back(std::move(read));
  }
  return range;
}

// An open watch: lines of JSON for as long as it lasts.
class WatchStream final : public net::CallListener {
 public:
  WatchStream(std::function<void()> changed, std::function<void(base::Error)> ended)
      : changed_(std::move(changed)), ended_(std::move(ended)) {}

  void OnHead(net::CallHead head) override {
    if (head.status != 200) End(fmt::format("etcd refuses the watch with status {}", head.status));
  }
  void OnBody(std::string_view piece) override {
    line_ += piece;
    for (std::size_t end = line_.find('\n'); end != std::string::npos; end = line_.find('\n')) {
      Take(line_.substr(0, end));
      line_.erase(0, end + 1);
    }
    if (line_.size() > kMaxLine) End("etcd's watch tells too much at once");
  }
  void OnEnd() override { End("etcd ended the watch"); }
  void OnFailure(net::CallFailure failure) override { End(failure.error.message); }

 private:
  void Take(const std::string& line) {
    const auto json = base::ParseJson(line, "etcd's watch");
    const auto result = json && json->is_object() ? json->find("result") : Json::const_iterator();
    if (!json || !json->is_object() || result == json->end() || !result->is_object()) {
      return End("etcd's watch tells what is not understood");
    }
    if (result->contains("canceled")) return End("etcd cancelled the watch");
    if (result->contains("events") && changed_) changed_();
  }
  void End(std::string why) {
    changed_ = {};
    if (const auto ended = std::exchange(ended_, {})) {
      ended({ErrorCode::kUnavailable, std::move(why)});
    }
  }

  std::function<void()> changed_;
  std::function<void(base::Error)> ended_;
  std::string line_;
};

class HttpEtcdClient final : public EtcdClient {
 public:
  HttpEtcdClient(net::EventLoop& loop, std::unique_ptr<net::HttpClient> http,
                 std::vector<net::HttpOrigin> endpoints, std::chrono::milliseconds total)
      : loop_(loop), http_(std::move(http)), endpoints_(std::move(endpoints)), total_(total) {}

  void Grant(std::chrono::seconds time, Told<std::int64_t> lease) override {
    Ask("/v3/lease/grant", {{"TTL", time.count()}}, [lease = std::move(lease)](Result<Json> json) {
      if (!json) return lease(std::unexpected(json.error()));
      const std::int64_t id = Number(*json, "ID");
      if (id == 0) return lease(Fail(ErrorCode::kDataLoss, "etcd granted a lease without an ID"));
      lease(id);
    });
  }

  void KeepAlive(std::int64_t lease, Told<void> told) override {
    Ask("/v3/lease/keepalive", {{"ID", lease}}, [lease, told = std::move(told)](Result<Json> json) {
      if (!json) return told(std::unexpected(json.error()));
      const auto result = json->find("result");
      const bool lives = result != json->end() && result->is_object() && Number(*result, "TTL") > 0;
      if (!lives) return told(Fail(ErrorCode::kNotFound, "the lease {:x} has run out", lease));
      told({});
    });
  }

  void Put(const EtcdEntry& entry, Told<std::int64_t> revision) override {
    Ask("/v3/kv/put",
        {{"key", base::ToBase64(entry.key)},
         {"value", base::ToBase64(entry.value)},
         {"lease", entry.lease}},
        [revision = std::move(revision)](Result<Json> json) {
          if (!json) return revision(std::unexpected(json.error()));
          auto read = ReadRange(*json);  // an answer without entries
          if (!read) return revision(std::unexpected(std::move(read.error())));
          revision(read->revision);
        });
  }

  void Delete(const std::string& key, Told<void> told) override {
    Ask("/v3/kv/deleterange", {{"key", base::ToBase64(key)}},
        [told = std::move(told)](Result<Json> json) {
          if (!json) return told(std::unexpected(json.error()));
          told({});
        });
  }

  void Range(const std::string& prefix, Told<EtcdRange> told) override {
    Ask("/v3/kv/range", KeysUnder(prefix), [told = std::move(told)](Result<Json> json) {
      if (!json) return told(std::unexpected(json.error()));
      told(ReadRange(*json));
    });
  }

  void Watch(const std::string& prefix, std::int64_t revision, std::function<void()> changed,
             std::function<void(base::Error)> ended) override {
    Json create = KeysUnder(prefix);
    create["start_revision"] = revision + 1;
    net::CallRequest request = Post("/v3/watch", {{"create_request", std::move(create)}});
    request.times = {.connect = total_};
    watch_ = http_->Send(endpoints_[endpoint_], std::move(request),
                         std::make_shared<WatchStream>(std::move(changed), std::move(ended)));
  }

 private:
  static net::CallRequest Post(std::string target, const Json& body) {
    net::CallRequest request;
    request.target = std::move(target);
    request.headers.emplace_back("Content-Type", "application/json");
    net::SetBody(request, base::WriteJson(body));
    return request;
  }

  // Of the endpoints, the one that answered last goes first.
  void Ask(std::string target, Json body, Told<Json> told, std::size_t tries = 1) {
    const std::uint64_t number = ++asked_;
    net::CallRequest request = Post(target, body);
    asking_[number] =
        net::Fetch(loop_, *http_, endpoints_[endpoint_], std::move(request),
                   {.max_bytes = kMaxEtcdAnswer, .total = total_},
                   [this, number, target = std::move(target), body = std::move(body),
                    told = std::move(told), tries](Result<net::FetchedAnswer> answer) mutable {
                     const auto over = asking_.extract(number);  // lives as long as this
                     Result<Json> json = Read(answer);
                     const bool is_away = !json && json.error().code == ErrorCode::kUnavailable;
                     if (is_away) endpoint_ = (endpoint_ + 1) % endpoints_.size();
                     if (is_away && tries < endpoints_.size()) {
                       return Ask(std::move(target), std::move(body), std::move(told), tries + 1);
                     }
                     told(std::move(json));
                   });
  }

  Result<Json> Read(const Result<net::FetchedAnswer>& answer) const {
    const std::string authority = endpoints_[endpoint_].Authority();
    if (!answer) {
      return Fail(ErrorCode::kUnavailable, "etcd at {} does not answer: {}", authority,
                  answer.error().message);
    }
    auto json = base::ParseJson(answer->body, "etcd's answer");
    if (!json || !json->is_object()) {
      return Fail(ErrorCode::kUnavailable, "etcd at {} answers with status {} and no JSON object",
                  authority, answer->status);
    }
    if (answer->status == 200) return json;
    const auto error = json->find("error");
    const std::string message = error != json->end() && error->is_string()
                                    ? error->get<std::string>()
                                    : answer->body.substr(0, 200);
    const auto code = Number(*json, "code") == kNotFound ? ErrorCode::kNotFound
                      : answer->status >= 500            ? ErrorCode::kUnavailable
                                                         : ErrorCode::kFailedPrecondition;
    return Fail(code, "etcd at {} refuses: {}", authority, message);
  }

  net::EventLoop& loop_;
  const std::unique_ptr<net::HttpClient> http_;
  const std::vector<net::HttpOrigin> endpoints_;
  const std::chrono::milliseconds total_;
  std::size_t endpoint_ = 0;
  std::uint64_t asked_ = 0;
  std::map<std::uint64_t, std::unique_ptr<net::HttpFetch>> asking_;
  std::unique_ptr<net::HttpCall> watch_;
};

}  // namespace

Result<std::unique_ptr<EtcdClient>> EtcdClient::Create(net::EventLoop& loop,
                                                       const std::vector<std::string>& endpoints,
                                                       std::chrono::milliseconds total) {
  std::vector<net::HttpOrigin> origins;
  for (const std::string& url : endpoints) {
    SWITCHYARD_TRY(origins.emplace_back(), net::ParseOrigin(url));
  }
  if (origins.empty()) return Fail(ErrorCode::kInvalidArgument, "etcd needs an endpoint");
  SWITCHYARD_TRY(auto http, net::HttpClient::Create(loop, {}));
  return std::make_unique<HttpEtcdClient>(loop, std::move(http), std::move(origins), total);
}

}  // namespace switchyard::gateway::internal
