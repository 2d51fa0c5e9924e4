#include "certify/validity.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "certify/utc_time.h"

namespace switchyard::certify {
namespace {

std::string TextOf(const std::string& text) { return text; }
std::string TextOf(std::uint32_t number) { return std::to_string(number); }
std::string TextOf(std::uint64_t number) { return std::to_string(number); }
std::string TextOf(const std::vector<std::string>& options) {
  return options.empty() ? "none" : fmt::format("{}", fmt::join(options, ", "));
}

// Calls `field` with each field's name, its value then, and its value now or null.
void EachField(
    const Fingerprint& then, const Present& now,
    const std::function<void(std::string, std::string, std::optional<std::string>)>& field) {
  const auto one = [&](std::string name, const auto& value, const auto* present) {
    std::optional<std::string> text;
    if (present != nullptr) text = TextOf(*present);
    field(std::move(name), TextOf(value), std::move(text));
  };
  const auto in = [](const auto& part, auto member) { return part ? &((*part).*member) : nullptr; };
  const auto whole = [](const std::optional<std::string>& part) { return part ? &*part : nullptr; };
  const ModelFingerprint& model = then.model;
  one("model: sha256", model.sha256, whole(now.model_sha256));
  one("model: architecture", model.architecture, whole(now.model_architecture));
  one("model: weight types", model.weight_types, whole(now.weight_types));
  one("model: KV type", model.kv_type, whole(now.kv_type));
  const auto side = [&](const std::string& name, const SideFingerprint& measured,
                        const std::optional<SideFingerprint>& present) {
    const auto each = [&](const char* what, auto member) {
      one(name + ": " + what, measured.*member, in(present, member));
    };
    each("chip", &SideFingerprint::chip);
    each("index", &SideFingerprint::index);
    each("plugin sha256", &SideFingerprint::plugin_sha256);
    each("device", &SideFingerprint::device);
    each("maker", &SideFingerprint::maker);
    each("code path and driver", &SideFingerprint::architecture);
    each("proof", &SideFingerprint::proof);
    each("units", &SideFingerprint::units);
    each("options", &SideFingerprint::options);
  };
  side("B", then.b, now.b);
  side("A", then.a, now.a);
  const auto machine = [&](const char* what, auto member) {
    one(std::string("machine: ") + what, then.machine.*member, in(now.machine, member));
  };
  machine("processor", &MachineFingerprint::processor);
  machine("cores", &MachineFingerprint::cores);
  machine("memory in bytes", &MachineFingerprint::memory_bytes);
  machine("system", &MachineFingerprint::system);
  machine("id", &MachineFingerprint::id);
  one("Switchyard", then.program, whole(now.program));
}

std::string Shown(const std::string& value) { return value.empty() ? "nothing" : value; }

}  // namespace

std::vector<FieldThen> FieldsOf(const Fingerprint& fingerprint) {
  std::vector<FieldThen> fields = {{"model: name", fingerprint.model.name}};
  EachField(fingerprint, {}, [&](std::string name, std::string then, const auto&) {
    fields.push_back({std::move(name), std::move(then)});
  });
  return fields;
}

std::vector<FieldComparison> Compare(const Fingerprint& then, const Present& now) {
  std::vector<FieldComparison> fields;
  EachField(then, now,
            [&](std::string name, std::string before, std::optional<std::string> present) {
              fields.push_back({std::move(name), std::move(before), std::move(present)});
            });
  return fields;
}

std::vector<std::string> ReasonsAgainst(const SignedCertificate& file,
                                        const Circumstances& circumstances) {
  const Certificate& certificate = file.certificate;
  std::vector<std::string> reasons;
  const auto add = [&](std::string reason) { reasons.push_back(std::move(reason)); };

  if (!file.is_signed_by_key) {
    add("the signature is wrong: the certificate was changed after it was signed, or never was "
        "signed with the key that it names");
  }
  if (std::ranges::find(circumstances.trusted, file.key) == circumstances.trusted.end()) {
    add(
        fmt::format("its key {} is not among the {} trusted here; who trusts it puts its issuer's "
                    "certify.pub.pem into $XDG_CONFIG_HOME/switchyard/trusted/",
                    file.key.Fingerprint(), circumstances.trusted.size()));
  }
  const auto issued = ParseUtcTime(certificate.issued);
  const auto expires = ParseUtcTime(certificate.expires);
  const std::string now = FormatUtcTime(circumstances.now);
  if (!issued || !expires) {
    add("its dates cannot be read");
  } else {
    if (*expires <= *issued) {
      add(fmt::format("it expires at {}, not after it was issued, at {}", certificate.expires,
                      certificate.issued));
    }
    if (circumstances.now < *issued) {
      add(fmt::format("it is not valid before {}; here it is {}", certificate.issued, now));
    }
    if (circumstances.now >= *expires) {
      add(fmt::format("it expired at {}; here it is {}", certificate.expires, now));
    }
  }
  if (!certificate.verdict.is_equivalent) {
    add("its verdict is that the chips are not equivalent");
  }
  for (const Check& check : certificate.verdict.checks) {
    if (certificate.verdict.is_equivalent && !check.is_kept) {
      add(fmt::format("it calls the chips equivalent although the bound of '{}' is not kept",
                      check.what));
    }
  }
  for (const FieldComparison& field : Compare(certificate.fingerprint, circumstances.present)) {
    if (!field.has_changed()) continue;
    add(fmt::format("{} has changed: then {}, now {}", field.field, Shown(field.then),
                    Shown(*field.now)));
  }
  return reasons;
}

}  // namespace switchyard::certify
