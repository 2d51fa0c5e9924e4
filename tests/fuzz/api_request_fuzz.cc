// Any bytes as a request of the OpenAI interface: read, or refused with a status of 400 and a body
// that is JSON.
#include <cstdlib>

#include "protocol/completion_request.h"
#include "protocol/embeddings.h"
#include "protocol/tokenize.h"

namespace {

template <typename T>
void Check(const switchyard::protocol::ApiResult<T>& request) {
  if (request) return;
  if (request.error().status != 400) std::abort();
  if (!switchyard::base::ParseJson(ErrorBody(request.error()), "fuzz")) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace switchyard::protocol;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Check(ParseCompletionRequest(Endpoint::kChat, text));
  Check(ParseCompletionRequest(Endpoint::kText, text));
  Check(ParseEmbeddingRequest(text));
  Check(ParseTokenizeRequest(text));
  Check(ParseDetokenizeRequest(text));
  return 0;
}
