#include "policy/page_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <numeric>
#include <set>

namespace switchyard::policy {
namespace {

using testing::ElementsAre;

std::vector<Token> TokensFrom(std::int64_t count, Token first = 0) {
  std::vector<Token> tokens(static_cast<std::size_t>(count));
  std::iota(tokens.begin(), tokens.end(), first);
  return tokens;
}

// Pages that hold `tokens` and are published.
std::vector<PageId> Written(PagePool& pool, const std::vector<Token>& tokens) {
  std::vector<PageId> pages;
  const auto size = static_cast<std::int64_t>(tokens.size());
  EXPECT_TRUE(pool.Take((size + pool.page_size() - 1) / pool.page_size(), pages));
  pool.Publish(tokens, pages, 0);
  return pages;
}

TEST(PagePool, GivesAllOrNothing) {
  PagePool pool(3, 4);
  std::vector<PageId> pages;
  EXPECT_FALSE(pool.Take(4, pages));
  EXPECT_TRUE(pages.empty());
  EXPECT_TRUE(pool.Take(3, pages));
  EXPECT_THAT(pages, ElementsAre(0, 1, 2));
  EXPECT_EQ(pool.in_use(), 3);
  pool.Release(pages, 1);
  EXPECT_THAT(pages, ElementsAre(0));
  EXPECT_EQ(pool.free(), 2);
}

TEST(PagePool, FindsTheLongestPrefixInWholePages) {
  PagePool pool(8, 4);
  std::vector<PageId> first = Written(pool, TokensFrom(11));  // two full pages and a part
  std::vector<PageId> second;
  pool.AcquirePrefix(TokensFrom(11), second);
  EXPECT_THAT(second, ElementsAre(first[0], first[1]));
  EXPECT_EQ(pool.holders(first[0]), 2);
  EXPECT_EQ(pool.in_use(), 3);

  std::vector<Token> other = TokensFrom(11);
  other[5] = 77;
  EXPECT_THAT(pool.FindPrefix(other).pages, ElementsAre(first[0]));
  EXPECT_TRUE(pool.FindPrefix(TokensFrom(11, 1)).pages.empty());
}

TEST(PagePool, TheLastTokenIsAlwaysComputed) {
  PagePool pool(8, 4);
  std::vector<PageId> pages = Written(pool, TokensFrom(8));
  EXPECT_EQ(pool.FindPrefix(TokensFrom(8)).pages.size(), 1U);
  EXPECT_EQ(pool.FindPrefix(TokensFrom(9)).pages.size(), 2U);
}

TEST(PagePool, WhoMovesPagesGetsTheLastFullOneToo) {
  PagePool pool(8, 4);
  std::vector<PageId> pages = Written(pool, TokensFrom(11));
  std::vector<PageId> moved;
  pool.AcquireFull(TokensFrom(8), moved);
  EXPECT_THAT(moved, ElementsAre(pages[0], pages[1]));
  EXPECT_EQ(pool.holders(pages[1]), 2);
  pool.Release(moved);
  pool.AcquireFull(TokensFrom(3), moved);
  EXPECT_TRUE(moved.empty());
}

TEST(PagePool, APageBehindAnotherTextIsAnotherPage) {
  PagePool pool(8, 2);
  std::vector<PageId> pages = Written(pool, {1, 2, 3, 4});
  EXPECT_EQ(pool.FindPrefix(std::vector<Token>{3, 4, 9}).pages.size(), 0U);
  EXPECT_EQ(pool.FindPrefix(std::vector<Token>{1, 2, 3, 4, 9}).pages.size(), 2U);
}

TEST(PagePool, KeepsWhatIsReleasedUntilPagesRunOut) {
  PagePool pool(4, 2);
  std::vector<PageId> old = Written(pool, {1, 2, 3, 4});
  pool.Release(old);
  std::vector<PageId> young = Written(pool, {5, 6, 7, 8});
  pool.Release(young);
  EXPECT_EQ(pool.cached(), 4);
  std::vector<PageId> taken;
  EXPECT_TRUE(pool.Take(1, taken));  // the end of the older text
  EXPECT_EQ(pool.FindPrefix(std::vector<Token>{1, 2, 3, 4, 9}).pages.size(), 1U);
  EXPECT_EQ(pool.FindPrefix(std::vector<Token>{5, 6, 7, 8, 9}).pages.size(), 2U);
}

TEST(PagePool, ThePageThatIsKnownTakesTheOthersPlace) {
  PagePool pool(4, 2);
  std::vector<PageId> first = Written(pool, {1, 2, 3, 4});
  std::vector<PageId> second = Written(pool, {1, 2, 3, 4});
  EXPECT_EQ(first, second);
  EXPECT_EQ(pool.free(), 2);
}

TEST(PagePool, TheNextKeyIsTheSameForTextsThatComputeTheSamePage) {
  PagePool pool(8, 2);
  std::vector<PageId> pages = Written(pool, {1, 2, 3});
  const std::vector<Token> text{1, 2, 3, 4, 5};
  const std::uint64_t key = pool.FindPrefix(text).next_key;
  EXPECT_NE(key, 0U);
  EXPECT_EQ(key, pool.NextKey(text, pages, 1));
  EXPECT_NE(key, pool.FindPrefix(std::vector<Token>{1, 2, 3, 5, 5}).next_key);
  EXPECT_EQ(pool.FindPrefix(std::vector<Token>{1, 2, 3, 4}).next_key, 0U);
}

// A text, where its pages are, and how far it is published.
struct Holder {
  std::vector<Token> tokens;
  std::vector<PageId> pages;
  std::int64_t published = 0;
};

TEST(PagePool, NoPageIsLostOrHasTwoContents) {
  rc::check([] {
    const std::int64_t page_size = *rc::gen::inRange<std::int64_t>(1, 4);
    const std::int64_t total = *rc::gen::inRange<std::int64_t>(1, 12);
    PagePool pool(total, page_size);
    std::map<PageId, std::vector<Token>> contents;  // the text up to the end of each page
    std::vector<Holder> holders;
    const int steps = *rc::gen::inRange(1, 80);
    for (int step = 0; step < steps; ++step) {
      const int what = *rc::gen::inRange(0, 4);
      if (what == 0 || holders.empty()) {  // a new text over few tokens, so that prefixes meet
        Holder holder;
        holder.tokens = *rc::gen::nonEmpty(
            rc::gen::container<std::vector<Token>>(rc::gen::inRange<Token>(0, 2)));
        pool.AcquirePrefix(holder.tokens, holder.pages);
        holder.published = static_cast<std::int64_t>(holder.pages.size());
        RC_ASSERT(holder.published * page_size < static_cast<std::int64_t>(holder.tokens.size()));
        for (std::size_t i = 0; i < holder.pages.size(); ++i) {
          const auto end = holder.tokens.begin() + static_cast<std::ptrdiff_t>(i + 1) * page_size;
          RC_ASSERT(contents[holder.pages[i]] == std::vector<Token>(holder.tokens.begin(), end));
        }
        const auto need =
            (static_cast<std::int64_t>(holder.tokens.size()) + page_size - 1) / page_size -
            holder.published;
        const std::int64_t available = pool.available();
        const bool given = pool.Take(need, holder.pages);
        RC_ASSERT(given == (need <= available));
        if (!given) {
          pool.Release(holder.pages);
          continue;
        }
        holders.push_back(holder);
      } else {
        const auto which = *rc::gen::inRange<std::size_t>(0, holders.size());
        Holder& holder = holders[which];
        if (what == 1) {
          holder.published = pool.Publish(holder.tokens, holder.pages, holder.published);
          for (std::int64_t i = 0; i < holder.published; ++i) {
            contents[holder.pages[static_cast<std::size_t>(i)]] = {
                holder.tokens.begin(), holder.tokens.begin() + (i + 1) * page_size};
          }
        } else {
          pool.Release(holder.pages);
          holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(which));
        }
      }
      std::map<PageId, std::int64_t> held;
      for (const Holder& holder : holders) {
        for (std::size_t i = 0; i < holder.pages.size(); ++i) {
          ++held[holder.pages[i]];
          // What is not published belongs to one.
          if (static_cast<std::int64_t>(i) >= holder.published) {
            RC_ASSERT(pool.holders(holder.pages[i]) == 1);
          }
        }
      }
      for (const auto& [page, count] : held) RC_ASSERT(pool.holders(page) == count);
      RC_ASSERT(pool.in_use() == static_cast<std::int64_t>(held.size()));
      RC_ASSERT(pool.free() + pool.cached() + pool.in_use() == total);
    }
    for (Holder& holder : holders) pool.Release(holder.pages);
    std::vector<PageId> all;
    RC_ASSERT(pool.Take(total, all));
    RC_ASSERT(std::set<PageId>(all.begin(), all.end()).size() == all.size());
  });
}

}  // namespace
}  // namespace switchyard::policy
