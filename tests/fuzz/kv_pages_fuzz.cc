// Any bytes as KV pages that another member sends: as they are, and with a checksum that fits.
#include <cstdlib>

#include "engine/kv_pages.h"

namespace {

void Use(const std::string& bytes) {
  const auto pages = switchyard::engine::KvPages::Parse(bytes);
  if (!pages) return;
  const auto& head = pages->head();
  if (head.first_token() < 0) std::abort();
  // Its pages give the same bytes.
  switchyard::engine::KvPagesWriter writer(head);
  for (std::int64_t i = 0; i < head.shape.pages; ++i) {
    pages->CopyPage(head.first_token() + i * head.shape.page_size, head.shape.page_size,
                    writer.NextPage());
  }
  if (writer.Finish() != bytes) std::abort();
  // A page of another size: all tokens that are here.
  const std::int64_t tokens = head.shape.pages * head.shape.page_size;
  std::vector<std::byte> all(
      static_cast<std::size_t>(head.shape.BytesPerToken() * static_cast<std::uint64_t>(tokens)));
  pages->CopyPage(head.first_token(), tokens, all);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Use(bytes);
  switchyard::base::Sha256 hash;
  hash.Update(std::as_bytes(std::span(bytes)));
  const auto digest = hash.Digest();
  bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  Use(bytes);
  return 0;
}
