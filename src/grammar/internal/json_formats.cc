#include "grammar/internal/json_formats.h"

#include <fmt/format.h>

#include <functional>
#include <map>

namespace switchyard::grammar::internal {
namespace {

// RFC 3339, with no day that does not exist: 29 February in leap years alone.
std::string Date() {
  const std::string year = "[1-9][0-9]{3}";
  const std::string leap =
      "(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)";
  return fmt::format(
      "(?:{0}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|"
      "30)"
      "|02-(?:0[1-9]|1[0-9]|2[0-8]))|{1}-02-29)",
      year, leap);
}

std::string Time() {
  const std::string minute = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
  return fmt::format("{0}:[0-5][0-9](?:\\.[0-9]{{1,6}})?(?:Z|[+-]{0})", minute);
}

// RFC 3339's appendix A.
std::string Duration() {
  const std::string n = "[0-9]{1,6}";
  const std::string time = fmt::format("T(?:{0}H(?:{0}M(?:{0}S)?)?|{0}M(?:{0}S)?|{0}S)", n);
  const std::string date = fmt::format("(?:{0}Y(?:{0}M(?:{0}D)?)?|{0}M(?:{0}D)?|{0}D)", n);
  return fmt::format("P(?:{}(?:{})?|{}|{}W)", date, time, time, n);
}

std::string Hostname() {
  const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?";
  return fmt::format("{0}(?:\\.{0}){{0,6}}", label);
}

std::string Email() {
  const std::string word = "[A-Za-z0-9_%+-]{1,20}";
  const std::string label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?";
  return fmt::format("{0}(?:\\.{0}){{0,2}}@(?:{1}\\.){{1,4}}[A-Za-z]{{2,12}}", word, label);
}

std::string Ipv4() {
  const std::string part = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
  return fmt::format("{0}(?:\\.{0}){{3}}", part);
}

// RFC 4291's forms without a trailing IPv4 address.
std::string Ipv6() {
  const std::string part = "[0-9A-Fa-f]{1,4}";
  std::string choices = fmt::format("{0}(?::{0}){{7}}", part);
  for (int before = 0; before <= 6; ++before) {
    const std::string head = before == 0 ? "" : fmt::format("{0}(?::{0}){{{1}}}", part, before - 1);
    const int after = 7 - before;
    choices += fmt::format("|{0}::(?:{1}(?::{1}){{0,{2}}})?", head, part, after - 1);
  }
  return fmt::format("(?:{})", choices);
}

std::string Uuid() { return "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"; }

// RFC 3986's, with an authority.
std::string Uri() {
  const std::string plain = "[A-Za-z0-9._~!$&'()*+,;=:@-]";
  return fmt::format(
      "[a-z][a-z0-9+.-]{{1,12}}://{0}(?::[0-9]{{1,5}})?(?:/{1}*)*(?:\\?(?:{1}|/)*)?"
      "(?:#(?:{1}|/)*)?",
      Hostname(), plain);
}

const std::map<std::string_view, std::function<std::string()>>& Formats() {
  static const std::map<std::string_view, std::function<std::string()>> formats = {
      {"date", Date},         {"date-time", [] { return Date() + "T" + Time(); }},
      {"duration", Duration}, {"email", Email},
      {"hostname", Hostname}, {"ipv4", Ipv4},
      {"ipv6", Ipv6},         {"time", Time},
      {"uri", Uri},           {"uuid", Uuid},
  };
  return formats;
}

}  // namespace

std::optional<std::string> FormatRegex(std::string_view format) {
  const auto found = Formats().find(format);
  if (found == Formats().end()) return std::nullopt;
  return found->second();
}

std::string FormatNames() {
  std::string names;
  for (const auto& [name, regex] : Formats()) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  }
  return names;
}

}  // namespace switchyard::grammar::internal
