#include "gateway/fleet_config.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "access/api_keys.h"
#include "base/text_file.h"
#include "base/toml_fields.h"
#include "base/toml_text.h"
#include "gateway/internal/policy_fields.h"
#include "net/url.h"
#include "policy/export_rule_text.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;
using base::TomlFields;

constexpr std::size_t kMaxName = 128;

// Printable ASCII without blanks and quotes, so that it can stand in headers, metrics and URLs.
bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '\\';
  });
}

std::string Beside(std::string_view folder, const std::string& path) {
  if (path.empty() || path == "-" || folder.empty()) return path;
  return (std::filesystem::path(folder) / path).string();
}

base::Result<std::string> ReadText(const std::string& path) {
  auto text = base::ReadTextFile(path);
  if (!text || text->empty()) {
    return Fail(ErrorCode::kNotFound, "cannot read '{}': check its name and who may read it", path);
  }
  return *std::move(text);
}

struct Reader {
  std::string folder;
  FleetConfig& config;

  TomlFields::Reader Each(base::Status (Reader::*read)(TomlFields&) const) const {
    return [this, read](TomlFields& inner) { return (this->*read)(inner); };
  }

  base::Status Listen(TomlFields& fields) const {
    ListenConfig& listen = config.listen;
    std::int64_t port = listen.port;
    fields.Text("host", listen.host);
    fields.Whole("port", port, 0, 65535);
    fields.Text("certificate_file", listen.certificate_file);
    fields.Text("key_file", listen.key_file);
    fields.Text("api_key_file", listen.api_key_file);
    fields.Text("admin_key_file", listen.admin_key_file);
    fields.Text("member_key_file", listen.member_key_file);
    fields.Whole("io_threads", listen.io_threads, 1, 256);
    fields.Whole("max_connections", listen.max_connections, 1, 1'000'000);
    fields.Whole("max_body_mib", listen.max_body_mib, 1, 1024);
    fields.Seconds("drain_seconds", listen.drain, 0, 86'400);
    fields.Text("request_log", listen.request_log);
    if (listen.certificate_file.empty() != listen.key_file.empty()) {
      fields.Refuse(listen.key_file.empty() ? "certificate_file" : "key_file",
                    "needs the other of certificate_file and key_file");
    }
    listen.port = static_cast<std::uint16_t>(port);
    for (std::string* path :
         {&listen.certificate_file, &listen.key_file, &listen.api_key_file, &listen.admin_key_file,
          &listen.member_key_file, &listen.request_log}) {
      *path = Beside(folder, *path);
    }
    for (const auto& [key, path] : {std::pair("api_key_file", &listen.api_key_file),
                                    std::pair("admin_key_file", &listen.admin_key_file),
                                    std::pair("member_key_file", &listen.member_key_file)}) {
      if (path->empty()) continue;
      if (const auto text = ReadText(*path); !text) fields.Refuse(key, text.error().message);
    }
    return fields.Done();
  }

  base::Status Registry(TomlFields& fields) const {
    fields.Texts("etcd", config.registry.etcd);
    for (const std::string& url : config.registry.etcd) {
      if (const auto origin = net::ParseOrigin(url); !origin) {
        fields.Refuse("etcd", origin.error().message);
      }
    }
    fields.Text("prefix", config.registry.prefix);
    fields.Seconds("lease_seconds", config.registry.lease, 1, 3600);
    if (!config.registry.prefix.ends_with('/')) fields.Refuse("prefix", "must end with '/'");
    return fields.Done();
  }

  base::Status Watch(TomlFields& fields) const {
    fields.Seconds("every_seconds", config.watch.every, 0.05, 3600);
    fields.Seconds("timeout_seconds", config.watch.timeout, 0.05, 600);
    fields.Whole("misses", config.watch.misses, 1, 100);
    fields.Flag("probe", config.watch.probe);
    return fields.Done();
  }

  base::Status Timeouts(TomlFields& fields) const {
    fields.Seconds("connect_seconds", config.timeouts.connect, 0.01, 600);
    fields.Seconds("first_token_seconds", config.timeouts.first_token, 0.01, 86'400);
    fields.Seconds("stall_seconds", config.timeouts.stall, 0.01, 86'400);
    fields.Seconds("total_seconds", config.timeouts.total, 0.1, 7 * 86'400);
    return fields.Done();
  }

  base::Status Retry(TomlFields& fields) const {
    fields.Whole("attempts", config.retry.attempts, 1, 100);
    fields.Number("share", config.retry.budget.share, 0, 10);
    fields.Number("per_second", config.retry.budget.per_second, 0, 1e6);
    fields.Number("burst_seconds", config.retry.budget.burst_s, 0, 3600);
    return fields.Done();
  }

  // The table alone turns it on.
  base::Status Hedge(TomlFields& fields) const {
    policy::HedgeLimits& hedge = config.hedge;
    hedge.is_on = true;
    fields.Number("delay_ms", hedge.delay_ms, 1, 600'000);
    fields.Number("percentile", hedge.percentile, 0.5, 0.999);
    fields.Number("share", hedge.share, 0, 1);
    if (fields.Has("delay_ms") && fields.Has("percentile")) {
      fields.Refuse("percentile", "tells the delay where delay_ms does not: give one of them");
    }
    return fields.Done();
  }

  base::Status Breaker(TomlFields& fields) const {
    policy::BreakerLimits& breaker = config.breaker;
    fields.Whole("failures", breaker.failures, 1, 1'000'000);
    fields.Number("share", breaker.share, 0.01, 1);
    fields.Number("window_seconds", breaker.window_s, 0.1, 3600);
    fields.Number("open_seconds", breaker.open_s, 0.01, 3600);
    fields.Number("longest_seconds", breaker.longest_s, 0.01, 86'400);
    fields.Whole("trials", breaker.trials, 1, 1000);
    fields.Whole("successes", breaker.successes, 1, 1000);
    return fields.Done();
  }

  base::Status Outlier(TomlFields& fields) const {
    fields.Number("factor", config.outlier.factor, 0, 1000);
    fields.Number("floor_ms", config.outlier.floor_ms, 0, 1e7);
    fields.Number("most_share", config.outlier.most_share, 0, 1);
    return fields.Done();
  }

  base::Status Policy(TomlFields& fields) const {
    fields.Table("export", Each(&Reader::Export));
    return internal::ReadPolicy(fields, config.policy);
  }

  base::Status Export(TomlFields& fields) const {
    auto exports = std::make_shared<ExportConfig>();
    std::string file;
    fields.Text("rules_file", file);
    if (file.empty()) {
      SWITCHYARD_TRY(exports->rules, policy::ParseExportRules(policy::ShippedExportRules(),
                                                              "the rules in this program"));
    } else {
      const auto text = ReadText(Beside(folder, file));
      if (!text) {
        fields.Refuse("rules_file", text.error().message);
        return fields.Done();
      }
      SWITCHYARD_TRY(exports->rules, policy::ParseExportRules(*text, file));
    }
    SWITCHYARD_RETURN_IF_ERROR(internal::ReadExport(fields, *exports));
    config.exports = std::move(exports);
    return {};
  }

  base::Status Model(TomlFields& fields) const {
    ModelConfig model;
    fields.Text("name", model.name);
    fields.Texts("aliases", model.aliases);
    fields.Number("ttft_ms", model.ttft_ms, 0, 1e7);
    fields.Number("itl_ms", model.itl_ms, 0, 1e7);
    if (!IsName(model.name)) fields.Refuse("name", "must say what clients call the model");
    config.models.push_back(std::move(model));
    return fields.Done();
  }

  void Key(TomlFields& fields, std::string_view name, std::string& key) const {
    std::string path;
    fields.Text(name, path);
    if (path.empty()) return;
    const auto text = ReadText(Beside(folder, path));
    if (!text) return fields.Refuse(name, text.error().message);
    key = access::ApiKeys::FirstKey(*text);
    if (key.empty()) fields.Refuse(name, "names a file without a key: write one into it");
  }

  // models = ["a", "b"] for those whose names are the same on both sides, and
  // [[member.model]] for the others.
  static base::Status Models(TomlFields& fields, MemberConfig& member) {
    std::vector<std::string> names;
    fields.Texts("models", names);
    for (std::string& name : names) {
      member.models.push_back({.name = name, .upstream = name});
    }
    fields.Tables("model", [&member](TomlFields& model) {
      ServedModel served;
      model.Text("name", served.name);
      served.upstream = served.name;
      model.Text("upstream", served.upstream);
      model.Whole("context_tokens", served.context_tokens, 1, 1'000'000'000);
      if (!IsName(served.name)) model.Refuse("name", "must say what the fleet calls the model");
      member.models.push_back(std::move(served));
      return model.Done();
    });
    return {};
  }

  base::Status Member(TomlFields& fields) const {
    MemberConfig member;
    fields.Text("name", member.name);
    if (!member.name.empty()) fields.Name(fmt::format("the member '{}'", member.name));
    fields.Text("url", member.url);
    std::size_t kind = 0;
    fields.Word("kind", {"switchyard", "openai"}, kind);
    member.kind = static_cast<MemberKind>(kind);
    Key(fields, "api_key_file", member.api_key);
    Key(fields, "member_key_file", member.member_key);
    fields.Text("ca_file", member.ca_file);
    member.ca_file = Beside(folder, member.ca_file);
    internal::ReadPlace(fields, member.place);
    SWITCHYARD_RETURN_IF_ERROR(Models(fields, member));
    fields.Flag("vouched_for", member.is_vouched_for);
    fields.Whole("capacity", member.capacity, 0, 1'000'000);
    if (!member.name.empty() && member.url.empty()) {
      fields.Refuse("needs a 'url', such as http://10.0.0.1:8000");
    }
    if (const auto status = CheckMember(member); !status) {
      fields.Refuse(IsName(member.name) ? "url" : "name", status.error().message);
    }
    for (const MemberConfig& other : config.members) {
      if (other.name == member.name)
        fields.Refuse("name", "is another member's too; give each one");
    }
    config.members.push_back(std::move(member));
    return fields.Done();
  }

  base::Status All(TomlFields& fields) const {
    fields.Table("listen", Each(&Reader::Listen));
    fields.Table("registry", Each(&Reader::Registry));
    fields.Table("watch", Each(&Reader::Watch));
    fields.Table("timeouts", Each(&Reader::Timeouts));
    fields.Table("retry", Each(&Reader::Retry));
    fields.Table("hedge", Each(&Reader::Hedge));
    fields.Table("breaker", Each(&Reader::Breaker));
    fields.Table("outlier", Each(&Reader::Outlier));
    fields.Table("policy", Each(&Reader::Policy));
    fields.Text("audit_file", config.audit_file);
    config.audit_file = Beside(folder, config.audit_file);
    fields.Tables("model", Each(&Reader::Model));
    fields.Tables("member", Each(&Reader::Member));
    return fields.Done();
  }
};

// One name for one model.
base::Status CheckModels(const FleetConfig& config, std::string_view file) {
  std::set<std::string_view> names;
  for (const ModelConfig& model : config.models) {
    std::vector<std::string_view> own{model.name};
    own.insert(own.end(), model.aliases.begin(), model.aliases.end());
    for (const std::string_view name : own) {
      if (names.insert(name).second) continue;
      return Fail(ErrorCode::kInvalidArgument,
                  "{}: '{}' names two models, or one twice; a name or alias may stand once", file,
                  name);
    }
  }
  return {};
}

}  // namespace

std::string_view FleetConfig::Canonical(std::string_view model) const {
  for (const ModelConfig& known : models) {
    if (known.name == model || std::ranges::find(known.aliases, model) != known.aliases.end()) {
      return known.name;
    }
  }
  return model;
}

const ModelConfig* FleetConfig::FindModel(std::string_view name) const {
  const auto found = std::ranges::find(models, name, &ModelConfig::name);
  return found == models.end() ? nullptr : &*found;
}

base::Status CheckMember(const MemberConfig& member) {
  // It also stands in paths of URLs.
  if (!IsName(member.name) || member.name.find_first_of("/?#%") != std::string::npos) {
    return Fail(ErrorCode::kInvalidArgument,
                "'{}' is no name for a member: up to {} printable characters of ASCII without "
                "blanks, quotes and /?#%",
                member.name, kMaxName);
  }
  const std::string_view url = member.url;
  const std::size_t host = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  const bool is_url = host > 0 && url.size() > host &&
                      url.find_first_of(" \t\r\n\"\\\\") == std::string_view::npos &&
                      url[host] != '/' && url.find_first_of("?#@", host) == std::string_view::npos;
  if (!is_url) {
    return Fail(ErrorCode::kInvalidArgument,
                "the URL '{}' of a member must be http:// or https:// with a host, and nothing "
                "behind a '?'",
                url);
  }
  return {};
}

base::Result<FleetConfig> ParseFleetConfig(std::string_view text, std::string_view file,
                                           std::string_view folder) {
  SWITCHYARD_TRY(const toml::table table, base::ParseToml(text, file));
  FleetConfig config;
  TomlFields fields(table, std::string(file), "the file");
  SWITCHYARD_RETURN_IF_ERROR((Reader{std::string(folder), config}.All(fields)));
  SWITCHYARD_RETURN_IF_ERROR(CheckModels(config, file));
  return config;
}

base::Result<FleetConfig> ReadFleetConfig(const std::string& path) {
  auto text = ReadText(path);
  if (!text) return std::unexpected(std::move(text.error()));
  return ParseFleetConfig(*text, path, std::filesystem::path(path).parent_path().string());
}

}  // namespace switchyard::gateway
