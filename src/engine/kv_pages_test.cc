// The container of KV pages against hand-made bytes, and against bytes that came to harm.
#include "engine/kv_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <numeric>

namespace switchyard::engine {
namespace {

using testing::HasSubstr;

// Two layers of unlike heads; `pages` pages of 4 tokens, the last of a text of `tokens`.
KvPagesHead Head(std::int64_t pages, std::int64_t tokens) {
  KvPagesHead head;
  head.model = std::string(64, 'a');
  head.shape.layers = {{2, 3, 1}, {1, 2, 2}};
  head.shape.dtype = tensor::DType::kF16;
  head.shape.page_size = 4;
  head.shape.pages = pages;
  head.tokens.resize(static_cast<std::size_t>(tokens));
  std::iota(head.tokens.begin(), head.tokens.end(), 100);
  return head;
}

// What lies in a row: a number that tells part, token and element.
std::uint16_t Value(std::int64_t part, std::int64_t token, std::int64_t element) {
  return static_cast<std::uint16_t>(part * 1000 + token * 10 + element);
}

// A page of `size` tokens from `first` on, as KvCache gives it: elements of a row by part.
std::vector<std::byte> Page(std::int64_t first, std::int64_t size) {
  std::vector<std::uint16_t> values;
  const std::array<std::int64_t, 4> rows{6, 2, 2, 2};
  for (std::size_t part = 0; part < rows.size(); ++part) {
    for (std::int64_t token = first; token < first + size; ++token) {
      for (std::int64_t i = 0; i < rows[part]; ++i) {
        values.push_back(Value(static_cast<std::int64_t>(part), token, i));
      }
    }
  }
  std::vector<std::byte> bytes(values.size() * 2);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string Written(const KvPagesHead& head) {
  KvPagesWriter writer(head);
  for (std::int64_t i = 0; i < head.shape.pages; ++i) {
    const auto page = Page(head.first_token() + i * head.shape.page_size, head.shape.page_size);
    std::ranges::copy(page, writer.NextPage().begin());
  }
  return writer.Finish();
}

// With a checksum that fits, as a hostile member would send it.
std::string Sealed(std::string bytes) {
  base::Sha256 hash;
  hash.Update(std::as_bytes(std::span(bytes)));
  const auto digest = hash.Digest();
  bytes.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return bytes;
}

void Put(std::string& bytes, std::size_t at, std::uint32_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::string Refusal(std::string bytes) {
  const auto parsed = KvPages::Parse(std::move(bytes));
  EXPECT_FALSE(parsed);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, base::ErrorCode::kInvalidArgument);
  return parsed.error().message;
}

TEST(KvPages, LieAsTheDocumentSays) {
  KvPagesHead head = Head(1, 8);
  head.shape.layers = {{1, 1, 1}};
  KvPagesWriter writer(head);
  const auto page = writer.NextPage();
  ASSERT_EQ(page.size(), 16U);  // 4 tokens, one element of key and value each
  for (std::size_t i = 0; i < page.size(); ++i) page[i] = static_cast<std::byte>(i);
  std::string expected = "SYKV" + std::string{1, 0, 0, 0} + std::string(64, 'a');
  expected += std::string{1, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0};
  expected += std::string{1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  for (char token = 100; token < 108; ++token) expected += std::string{token, 0, 0, 0};
  for (char i = 0; i < 16; ++i) expected += i;
  EXPECT_EQ(writer.Finish(), Sealed(expected));
  EXPECT_EQ(head.EmptyBytes(), expected.size() + 32 - 16);
}

TEST(KvPages, ReadAsTheyWereWritten) {
  const KvPagesHead head = Head(2, 12);
  const auto pages = KvPages::Parse(Written(head));
  ASSERT_TRUE(pages) << pages.error().message;
  EXPECT_EQ(pages->head().model, head.model);
  EXPECT_EQ(pages->head().tokens, head.tokens);
  EXPECT_EQ(pages->head().first_token(), 4);
  EXPECT_EQ(pages->head().shape.layers, head.shape.layers);
  EXPECT_EQ(pages->head().shape.dtype, tensor::DType::kF16);
  EXPECT_EQ(pages->head().shape.page_size, 4);
  EXPECT_EQ(pages->head().shape.pages, 2);
}

// A cache with pages of another size takes the same rows.
TEST(KvPages, GivePagesOfAnySize) {
  const auto pages = KvPages::Parse(Written(Head(6, 24)));
  ASSERT_TRUE(pages);
  rc::check([&] {
    const auto size = *rc::gen::inRange<std::int64_t>(1, 25);
    const auto first = *rc::gen::inRange<std::int64_t>(0, 25 - size);
    const std::vector<std::byte> expected = Page(first, size);
    std::vector<std::byte> page(expected.size());
    pages->CopyPage(first, size, page);
    RC_ASSERT(page == expected);
  });
}

TEST(KvPages, WhatIsCutOffIsRefused) {
  const std::string whole = Written(Head(2, 12));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SCOPED_TRACE(size);
    EXPECT_THAT(Refusal(whole.substr(0, size)), HasSubstr("KV pages"));
    if (size == whole.size() - 32) continue;
    // Cut off by somebody who makes the checksum anew.
    EXPECT_THAT(Refusal(Sealed(whole.substr(0, size))), HasSubstr("KV pages"));
  }
  EXPECT_THAT(Refusal(whole + "x"), HasSubstr("checksum"));
  EXPECT_THAT(Refusal(Sealed(whole)), HasSubstr("bytes came"));
}

TEST(KvPages, EveryChangedBitIsSeen) {
  const std::string whole = Written(Head(1, 8));
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string changed = whole;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(KvPages::Parse(changed)) << bit;
  }
}

TEST(KvPages, HostileHeadsAreRefused) {
  std::string whole = Written(Head(2, 12));
  whole.resize(whole.size() - 32);
  const auto with = [&](std::size_t at, std::uint32_t value) {
    std::string bytes = whole;
    Put(bytes, at, value);
    return Refusal(Sealed(bytes));
  };
  EXPECT_THAT(with(0, 1), HasSubstr("no KV pages"));
  EXPECT_THAT(with(4, 2), HasSubstr("version 2"));
  constexpr std::uint32_t kHuge = 0xFFFFFFFFU;
  for (const std::uint32_t type : {3U, 100U, kHuge}) {
    EXPECT_THAT(with(72, type), HasSubstr("element type"));
  }
  for (const std::uint32_t size : {0U, 5U, kHuge}) EXPECT_NE(with(76, size), "");
  EXPECT_THAT(with(76, 3), HasSubstr("bytes came"));
  for (const std::uint32_t layers : {0U, 1U, 3U, 4096U, kHuge}) EXPECT_NE(with(80, layers), "");
  for (const std::uint32_t pages : {0U, 1U, 3U, 4U, kHuge}) EXPECT_NE(with(84, pages), "");
  for (const std::uint32_t tokens : {0U, 7U, 16U, kHuge}) EXPECT_NE(with(88, tokens), "");
  for (const std::size_t dim : {92U, 96U, 100U, 104U, 108U, 112U}) {
    for (const std::uint32_t size : {0U, 16384U, kHuge}) EXPECT_NE(with(dim, size), "");
  }
  EXPECT_THAT(with(116, 0x80000000U), HasSubstr("negative"));
  EXPECT_THAT(with(8, 0), HasSubstr("SHA-256"));
}

TEST(KvPages, FitOnlyTheModelsThatTheyAreOf) {
  const KvPagesHead head = Head(2, 12);
  KvShape own = head.shape;
  own.pages = 100;
  own.page_size = 32;
  EXPECT_TRUE(CheckFits(head, own));
  own.dtype = tensor::DType::kBF16;
  EXPECT_EQ(CheckFits(head, own).error().message,
            "the KV pages hold f16 and this server's cache bf16, and they are not converted: start "
            "both with the same --kv-type");
  own = head.shape;
  own.layers[1].key_dim = 4;
  EXPECT_THAT(CheckFits(head, own).error().message, HasSubstr("another model's"));
}

}  // namespace
}  // namespace switchyard::engine
