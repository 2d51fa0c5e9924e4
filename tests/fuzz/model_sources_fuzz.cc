// Everything that `switchyard pull` reads from outside before a file is checked by its sha256: hub
// listings, index pages, pip's configuration and the MODEL argument. The first byte picks the
// reader. The registry is the user's own file and left out: toml++ asserts on some malformed
// headers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "cli/model_hub.h"
#include "cli/model_reference.h"
#include "cli/python_index.h"
#include "net/url.h"

namespace {

using namespace switchyard;

void ChooseAmong(const base::Result<std::vector<cli::HubFile>>& files) {
  if (!files) return;
  for (const cli::HubFile& file : *files) {
    if (!cli::IsSafeRelativePath(file.path)) std::abort();
  }
  for (const std::string_view selector : {"", "q8_0", "safetensors", "x.gguf"}) {
    (void)cli::ChooseModelFiles(*files, selector, "org/repo");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const cli::HubAccess access{cli::Hub::kHuggingFace, "https://hub.test", {}};
  switch (bytes[0] % 5) {
    case 0:
      ChooseAmong(cli::ParseHuggingFaceListing(text, access, "org/repo", "main"));
      break;
    case 1:
      ChooseAmong(cli::ParseModelScopeListing(text, access, "org/repo", "master"));
      break;
    case 2:
      (void)cli::FindWheelLink(text, "https://index.test/simple/pkg/", {"pkg", "1.0", "", "m"});
      break;
    case 3:
      (void)cli::IndexUrlInPipConfig(text);
      break;
    default: {
      (void)cli::ParseModelReference(text);
      const std::string name = net::FileNameOfUrl(std::string(text));
      if (!name.empty() && !cli::IsSafeRelativePath(name)) std::abort();
      (void)net::UrlForDisplay(text);
    }
  }
  return 0;
}
