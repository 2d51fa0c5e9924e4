// The pages of a KV cache: who holds them, and which hold the beginning of a text that may come
// again. A page is free, or cached (nobody holds it, its contents may be asked for), or in use by
// one sequence or several.
//
// Only full pages are shared, and nobody writes to a full page: so sharing never needs a copy. A
// text's next token is always written to a page of its own.
//
// Pure bookkeeping, no memory of a chip. One owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

namespace switchyard::policy {

using Token = std::int32_t;
using PageId = std::int32_t;

class PagePool {
 public:
  PagePool() = default;
  PagePool(std::int64_t pages, std::int64_t page_size);

  std::int64_t page_size() const { return page_size_; }  // tokens
  std::int64_t total() const { return static_cast<std::int64_t>(pages_.size()); }
  std::int64_t free() const { return static_cast<std::int64_t>(free_.size()); }
  std::int64_t cached() const { return static_cast<std::int64_t>(idle_.size()); }
  std::int64_t in_use() const { return total() - free() - cached(); }
  // That Take can give: the free ones, and the cached ones, which it evicts.
  std::int64_t available() const { return free() + cached(); }
  std::int64_t holders(PageId page) const { return At(page).holders; }

  // Appends `count` pages, held once each; the contents are undefined. All or, if too few are
  // available, none. Of the cached pages the least recently used go first.
  bool Take(std::int64_t count, std::vector<PageId>& pages);
  // Gives back all but the first `keep`, the last one first. What was published stays cached.
  void Release(std::vector<PageId>& pages, std::int64_t keep = 0);

  // What of a text is cached, in whole pages, never with its last token: one token must be run for
  // logits.
  struct Prefix {
    std::vector<PageId> pages;
    // Names the first page that is not cached, by its contents and those before it; 0 if the rest
    // fills no page. Two texts with the same key would compute the same page.
    std::uint64_t next_key = 0;
  };
  Prefix FindPrefix(std::span<const Token> tokens) const;
  // Appends those pages to the empty `pages`, held once more each.
  void AcquirePrefix(std::span<const Token> tokens, std::vector<PageId>& pages);
  // The same with the last token's page, if it fills one: for those who move pages and run nothing.
  void AcquireFull(std::span<const Token> tokens, std::vector<PageId>& pages);

  // `pages` hold `tokens`, and the first `published` of them were published before. Publishes the
  // full ones. A page whose contents another one holds already is exchanged for that. Returns how
  // many are published now: fewer than are full if two hashes collide, which ends sharing there.
  std::int64_t Publish(std::span<const Token> tokens, std::vector<PageId>& pages,
                       std::int64_t published);
  // Prefix::next_key of a text of which `published` pages are published.
  std::uint64_t NextKey(std::span<const Token> tokens, std::span<const PageId> pages,
                        std::int64_t published) const;

 private:
  // A block is a page's contents together with all before it; 0 is the empty text. Numbers are
  // never used again, so that a parent that was evicted and came again is another one.
  using Block = std::uint64_t;
  struct Page {
    std::int64_t holders = 0;
    Block block = 0;  // 0: not published
    Block parent = 0;
    std::uint64_t key = 0;
    std::vector<Token> tokens;            // of the block, to be sure on a hit
    std::list<PageId>::iterator in_idle;  // valid while cached
  };

  Page& At(PageId page) { return pages_[static_cast<std::size_t>(page)]; }
  const Page& At(PageId page) const { return pages_[static_cast<std::size_t>(page)]; }
  std::span<const Token> TokensOfPage(std::span<const Token> tokens, std::int64_t index) const;
  Block BlockBefore(std::span<const PageId> pages, std::int64_t index) const;
  // The published pages of a text's beginning, `most` at most.
  std::vector<PageId> FindPages(std::span<const Token> tokens, std::int64_t most) const;
  // The page that holds `tokens` behind `parent`, or -1.
  PageId Find(Block parent, std::span<const Token> tokens) const;
  void Hold(PageId page);
  void Drop(PageId page);
  void Evict();

  std::int64_t page_size_ = 1;
  std::vector<Page> pages_;
  std::vector<PageId> free_;
  std::list<PageId> idle_;  // cached, the least recently used first
  std::unordered_map<std::uint64_t, PageId> by_key_;
  Block last_block_ = 0;
};

}  // namespace switchyard::policy
