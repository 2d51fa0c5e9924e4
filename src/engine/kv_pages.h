// KV pages of one text as they move from one member to another: the container `kv_pages`, version
// 1, whose layout is in docs/member_protocol.md. Pages are in the chip interface's neutral layout,
// so they move between chips of different makers; their numbers are as the chip that computed them
// left them, and never converted.
//
// A container comes from outside: Parse checks everything before anybody uses it. Whether its
// numbers are true nobody can check but by computing them again. Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "engine/kv_cache.h"

namespace switchyard::engine {

// What pages are of. Two members name a page alike if all of this is alike: the tokens themselves
// are the name, so that no two texts can ever be taken for one another.
struct KvPagesHead {
  std::string model;                   // the SHA-256 of its files in 64 hexadecimal digits
  KvShape shape;                       // `pages`: how many there are
  std::vector<model::TokenId> tokens;  // of the text, up to the end of the last page

  // Of the first page that is there; those before it are elsewhere.
  std::int64_t first_token() const {
    return static_cast<std::int64_t>(tokens.size()) - shape.pages * shape.page_size;
  }
  // Of a container without pages.
  std::uint64_t EmptyBytes() const;
};

// Whether a cache of `own` shape can take such pages; the sentence says why not. Page sizes may
// differ.
base::Status CheckFits(const KvPagesHead& head, const KvShape& own);

class KvPages {
 public:
  static base::Result<KvPages> Parse(std::string bytes);

  const KvPagesHead& head() const { return head_; }
  // One page of `page_size` tokens that begins with `first_token`, as KvCache::Import wants it. All
  // of them must be there.
  void CopyPage(std::int64_t first_token, std::int64_t page_size, std::span<std::byte> to) const;

 private:
  std::string bytes_;
  KvPagesHead head_;
  std::size_t pages_at_ = 0;
};

// Writes a container, page after page; the checksum is made on the way.
class KvPagesWriter {
 public:
  explicit KvPagesWriter(const KvPagesHead& head);

  // The next page, to be filled as KvCache::Export does before anything else is called.
  std::span<std::byte> NextPage();
  std::int64_t pages() const { return pages_; }  // that were begun
  // When all pages are there.
  std::string Finish();

 private:
  void HashNew();

  std::string bytes_;
  std::size_t page_bytes_;
  std::size_t hashed_ = 0;
  std::int64_t pages_ = 0;
  base::Sha256 hash_;
};

}  // namespace switchyard::engine
