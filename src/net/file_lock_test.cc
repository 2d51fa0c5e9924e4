#include "net/file_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/range_server.h"

namespace switchyard::net {
namespace {

TEST(FileLock, LetsOneHolderInAtATime) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.lock";
  std::atomic<int> inside = 0;
  std::atomic<int> most = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        auto lock = FileLock::Acquire(path, nullptr);
        ASSERT_TRUE(lock) << lock.error().message;
        most = std::max(most.load(), ++inside);
        std::this_thread::yield();
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(most, 1);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FileLock, SaysThatItWaits) {
  const base::TemporaryFolder folder;
  const auto path = folder.path() / "x.lock";
  auto first = FileLock::Acquire(path, nullptr);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->waited());
  std::atomic<bool> told = false;
  std::thread second([&] {
    auto lock = FileLock::Acquire(path, [&] { told = true; });
    ASSERT_TRUE(lock);
    EXPECT_TRUE(lock->waited());
  });
  while (!told) std::this_thread::yield();
  {
    const FileLock released = *std::move(first);
  }
  second.join();
}

TEST(FileLock, FailsWhereItsFolderIsMissing) {
  EXPECT_FALSE(FileLock::Acquire("/nonexistent/x.lock", nullptr));
}

}  // namespace
}  // namespace switchyard::net
