// What the environment says of models; declared in model_store.h.
#include <utility>

#include "base/text_file.h"
#include "cli/model_store.h"
#include "cli/python_index.h"

namespace switchyard::cli {
namespace {

namespace fs = std::filesystem;

// Tokens are short; the bound is against a path that names something else.
constexpr std::size_t kMaxTokenBytes = 4096;

std::string WithoutTrailingSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::string ReadToken(const fs::path& path) {
  std::string text = base::ReadTextFile(path, kMaxTokenBytes).value_or("");
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

// As the hub's own client does: the variable, then the file that `hf auth login` writes.
std::string HuggingFaceToken(const Environment& environment) {
  if (const auto token = environment.Get("HF_TOKEN")) return *token;
  const fs::path home =
      environment.GetOr("HF_HOME", (environment.CacheFolder() / "huggingface").string());
  return ReadToken(environment.GetOr("HF_TOKEN_PATH", (home / "token").string()));
}

}  // namespace

ModelStoreOptions ReadModelStoreOptions(const Environment& environment) {
  ModelStoreOptions options;
  options.cache_folder =
      environment.GetOr("SWITCHYARD_CACHE", (environment.CacheFolder() / "switchyard").string());
  options.own_registry = environment.ConfigFolder() / "switchyard" / "models.toml";
  options.python_index_url = PythonIndexUrl(environment);
  // curl's own order.
  options.http.ca_file =
      environment.GetOr("CURL_CA_BUNDLE", environment.GetOr("SSL_CERT_FILE", ""));

  HubAccess& hf = options.hugging_face;
  hf.hub = Hub::kHuggingFace;
  hf.endpoint = WithoutTrailingSlash(environment.GetOr("HF_ENDPOINT", "https://huggingface.co"));
  hf.http = options.http;
  hf.http.bearer_token = HuggingFaceToken(environment);
  hf.http.credentials_hint =
      "check the name; if it is right, accept the model's terms on its page and set HF_TOKEN to a "
      "token that may read it";

  HubAccess& ms = options.model_scope;
  ms.hub = Hub::kModelScope;
  ms.endpoint =
      WithoutTrailingSlash(environment.GetOr("MODELSCOPE_ENDPOINT", "https://www.modelscope.cn"));
  if (ms.endpoint.find("://") == std::string::npos) ms.endpoint = "https://" + ms.endpoint;
  ms.http = options.http;
  if (const auto token = environment.Get("MODELSCOPE_API_TOKEN")) {
    // The hub's interface takes the header, its file server the cookie.
    ms.http.bearer_token = *token;
    ms.http.cookie = "m_session_id=" + *token;
  }
  ms.http.credentials_hint =
      "check the name; if it is right, set MODELSCOPE_API_TOKEN to a token that may read it";
  return options;
}

}  // namespace switchyard::cli
