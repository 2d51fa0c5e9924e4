// The Python Package Index, as far as one wheel needs it: where pip would look, and which link a
// package's page gives for a version (PEP 503's simple pages).
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/environment.h"
#include "cli/model_registry.h"
#include "net/http_options.h"

namespace switchyard::cli {

// PIP_INDEX_URL, or index-url of pip's configuration files in pip's own order, or the public index.
std::string PythonIndexUrl(const Environment& environment);

// The value that pip would take for index-url from one configuration file; empty when it has none.
std::string IndexUrlInPipConfig(std::string_view text);

struct WheelLink {
  std::string url;  // absolute, without the fragment
  std::string file_name;
  std::string sha256;  // from the link's fragment; empty where there is none
};

// Out of the page's HTML, which was fetched from page_url. Where the source pins a sha256, a link
// with another is passed over.
base::Result<WheelLink> FindWheelLink(std::string_view html, const std::string& page_url,
                                      const PackageSource& source);

// Fetches the package's page and finds the link. Blocks.
base::Result<WheelLink> FindWheel(const std::string& index_url, const PackageSource& source,
                                  const net::HttpOptions& http);

}  // namespace switchyard::cli
