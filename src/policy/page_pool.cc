#include "policy/page_pool.h"

#include <algorithm>

#include "base/error.h"

namespace switchyard::policy {
namespace {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
std::uint64_t Mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

std::uint64_t KeyOf(std::uint64_t parent, std::span<const Token> tokens) {
  std::uint64_t key = Mix(parent + 0x9E3779B97F4A7C15ULL);
  for (const Token token : tokens) {
    key = Mix(key + 0x9E3779B97F4A7C15ULL + static_cast<std::uint32_t>(token));
  }
  return key == 0 ? 1 : key;
}

}  // namespace

PagePool::PagePool(std::int64_t pages, std::int64_t page_size) : page_size_(page_size) {
  SWITCHYARD_CHECK(pages >= 0 && page_size >= 1);
  pages_.resize(static_cast<std::size_t>(pages));
  free_.resize(pages_.size());
  for (std::size_t i = 0; i < free_.size(); ++i) {
    free_[i] = static_cast<PageId>(free_.size() - 1 - i);  // page 0 goes first
  }
}

std::span<const Token> PagePool::TokensOfPage(std::span<const Token> tokens,
                                              std::int64_t index) const {
  return tokens.subspan(static_cast<std::size_t>(index * page_size_),
                        static_cast<std::size_t>(page_size_));
}

PagePool::Block PagePool::BlockBefore(std::span<const PageId> pages, std::int64_t index) const {
  return index == 0 ? 0 : At(pages[static_cast<std::size_t>(index - 1)]).block;
}

PageId PagePool::Find(Block parent, std::span<const Token> tokens) const {
  const auto found = by_key_.find(KeyOf(parent, tokens));
  if (found == by_key_.end()) return -1;
  const Page& page = At(found->second);
  return page.parent == parent && std::ranges::equal(page.tokens, tokens) ? found->second : -1;
}

void PagePool::Hold(PageId id) {
  Page& page = At(id);
  if (page.holders++ == 0) idle_.erase(page.in_idle);
}

void PagePool::Drop(PageId id) {
  Page& page = At(id);
  SWITCHYARD_CHECK(page.holders > 0);
  if (--page.holders > 0) return;
  if (page.block == 0) {
    free_.push_back(id);
  } else {
    page.in_idle = idle_.insert(idle_.end(), id);
  }
}

// A page's holder holds the pages before it too, and gives them back later: so the least recently
// used page never has one behind it that is still cached.
void PagePool::Evict() {
  const PageId id = idle_.front();
  idle_.pop_front();
  Page& page = At(id);
  by_key_.erase(page.key);
  page = Page{};
  free_.push_back(id);
}

bool PagePool::Take(std::int64_t count, std::vector<PageId>& pages) {
  if (count > available()) return false;
  for (std::int64_t i = 0; i < count; ++i) {
    if (free_.empty()) Evict();
    pages.push_back(free_.back());
    At(free_.back()).holders = 1;
    free_.pop_back();
  }
  return true;
}

void PagePool::Release(std::vector<PageId>& pages, std::int64_t keep) {
  while (static_cast<std::int64_t>(pages.size()) > keep) {
    Drop(pages.back());
    pages.pop_back();
  }
}

std::vector<PageId> PagePool::FindPages(std::span<const Token> tokens, std::int64_t most) const {
  std::vector<PageId> pages;
  for (std::int64_t index = 0; index < most; ++index) {
    const PageId page = Find(BlockBefore(pages, index), TokensOfPage(tokens, index));
    if (page < 0) break;
    pages.push_back(page);
  }
  return pages;
}

PagePool::Prefix PagePool::FindPrefix(std::span<const Token> tokens) const {
  const std::int64_t full = (static_cast<std::int64_t>(tokens.size()) - 1) / page_size_;
  Prefix prefix{FindPages(tokens, full)};
  prefix.next_key = NextKey(tokens, prefix.pages, std::ssize(prefix.pages));
  return prefix;
}

void PagePool::AcquirePrefix(std::span<const Token> tokens, std::vector<PageId>& pages) {
  SWITCHYARD_CHECK(pages.empty());
  pages = FindPrefix(tokens).pages;
  for (const PageId page : pages) Hold(page);
}

void PagePool::AcquireFull(std::span<const Token> tokens, std::vector<PageId>& pages) {
  SWITCHYARD_CHECK(pages.empty());
  pages = FindPages(tokens, std::ssize(tokens) / page_size_);
  for (const PageId page : pages) Hold(page);
}

std::int64_t PagePool::Publish(std::span<const Token> tokens, std::vector<PageId>& pages,
                               std::int64_t published) {
  const std::int64_t full = static_cast<std::int64_t>(tokens.size()) / page_size_;
  for (; published < full; ++published) {
    const std::span<const Token> of_page = TokensOfPage(tokens, published);
    const Block parent = BlockBefore(pages, published);
    PageId& id = pages[static_cast<std::size_t>(published)];
    if (const PageId known = Find(parent, of_page); known >= 0) {
      Hold(known);
      Drop(id);
      id = known;
      continue;
    }
    const std::uint64_t key = KeyOf(parent, of_page);
    if (!by_key_.try_emplace(key, id).second) return published;
    Page& page = At(id);
    page.block = ++last_block_;
    page.parent = parent;
    page.key = key;
    page.tokens.assign(of_page.begin(), of_page.end());
  }
  return published;
}

std::uint64_t PagePool::NextKey(std::span<const Token> tokens, std::span<const PageId> pages,
                                std::int64_t published) const {
  if (published >= (static_cast<std::int64_t>(tokens.size()) - 1) / page_size_) return 0;
  return KeyOf(BlockBefore(pages, published), TokensOfPage(tokens, published));
}

}  // namespace switchyard::policy
