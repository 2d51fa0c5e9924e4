#include "gateway/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <stdexcept>
#include <string>

#include "base/temporary_folder.h"
#include "gateway/internal/sqlite_file.h"

namespace switchyard::gateway {
namespace {

using testing::HasSubstr;

class AuditLogTest : public testing::Test {
 protected:
  std::unique_ptr<AuditLog> OpenLog() {
    auto log = AuditLog::Open(path_);
    EXPECT_TRUE(log) << log.error().message;
    return log ? std::move(*log) : nullptr;
  }
  void Write(int entries) {
    const auto log = OpenLog();
    for (int i = 0; i < entries; ++i) {
      log->Append({.actor = "operator/eve",
                   .action = i % 2 == 0 ? "drain" : "undrain",
                   .subject = "m" + std::to_string(i),
                   .detail = "{}"});
    }
  }
  base::Status Sql(const std::string& sql) { return internal::SqliteFile::Open(path_)->Run(sql); }

  const base::TemporaryFolder folder_;
  const std::string path_ = (folder_.path() / "audit.db").string();
};

TEST_F(AuditLogTest, KeepsWhatWasAppended) {
  Write(3);
  Write(1);
  const auto log = OpenLog();
  std::promise<AuditLog::Entries> read;
  log->Read(2, 0, [&](auto entries) { read.set_value(std::move(entries)); });
  const auto newest = read.get_future().get();
  ASSERT_TRUE(newest);
  ASSERT_EQ(newest->size(), 2U);
  EXPECT_EQ(newest->at(0).id, 4);
  EXPECT_EQ(newest->at(1).subject, "m2");
  EXPECT_EQ(newest->at(1).actor, "operator/eve");
  EXPECT_THAT(newest->at(1).time, testing::MatchesRegex("20..-..-..T..:..:..\\.......Z"));
  const auto drains = log->All({"drain"});
  EXPECT_EQ(drains->size(), 3U);
  EXPECT_EQ(drains->at(0).id, 1);
}

TEST_F(AuditLogTest, WhatIsNotUtf8IsReplaced) {
  const auto log = OpenLog();
  log->Append({.actor = "a", .action = "lost", .subject = "m", .detail = "last read: '\xff'"});
  EXPECT_EQ(log->All({"lost"})->at(0).detail, "last read: '\xef\xbf\xbd'");
}

TEST_F(AuditLogTest, WhatACallerThrowsIsItsOwnError) {
  const auto log = OpenLog();
  std::promise<std::string> told;
  log->Read(1, 0, [&](const AuditLog::Entries& entries) {
    if (entries) throw std::runtime_error("no such text");
    told.set_value(entries.error().message);
  });
  EXPECT_EQ(told.get_future().get(), "the audit log: no such text");
  EXPECT_TRUE(log->All({"lost"}));
}

TEST_F(AuditLogTest, TwoMayWriteIntoOneFile) {
  const auto a = OpenLog();
  const auto b = OpenLog();
  for (const auto* log : {&a, &b, &b, &a}) {
    std::promise<base::Status> written;
    (*log)->Append({.actor = "a", .action = "drain", .subject = "m"},
                   [&](base::Status status) { written.set_value(std::move(status)); });
    const base::Status status = written.get_future().get();
    EXPECT_TRUE(status) << status.error().message;
  }
  EXPECT_EQ(OpenLog()->All({"drain"})->size(), 4U);
}

TEST_F(AuditLogTest, SqlCanOnlyAdd) {
  Write(2);
  EXPECT_THAT(Sql("UPDATE audit SET actor = 'x'").error().message, HasSubstr("never changed"));
  EXPECT_THAT(Sql("DELETE FROM audit WHERE id = 1").error().message, HasSubstr("taken out"));
  EXPECT_THAT(Sql("INSERT INTO audit VALUES (9, '', '', '', '', '', '')").error().message,
              HasSubstr("follow one another"));
}

TEST_F(AuditLogTest, AChangeBehindItsBackIsSeen) {
  for (const std::string change :
       {"UPDATE audit SET subject = 'x' WHERE id = 2", "DELETE FROM audit WHERE id = 1",
        "UPDATE audit SET hash = 'x' WHERE id = 3"}) {
    const base::TemporaryFolder folder;
    const std::string path = (folder.path() / "audit.db").string();
    {
      const auto log = *AuditLog::Open(path);
      for (int i = 0; i < 3; ++i) log->Append({.actor = "a", .action = "b", .subject = "c"});
    }
    ASSERT_TRUE(internal::SqliteFile::Open(path)->Run(
        "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete; " + change));
    const auto log = AuditLog::Open(path);
    ASSERT_FALSE(log) << change;
    EXPECT_EQ(log.error().code, base::ErrorCode::kDataLoss);
  }
}

TEST_F(AuditLogTest, InMemoryAndWhereThereIsNoFolder) {
  EXPECT_TRUE(AuditLog::Open(""));
  EXPECT_THAT(
      AuditLog::Open("/nowhere/a.db").error().message,
      HasSubstr("'/nowhere/a.db': SQLite: unable to open database file; make its folder, or"));
}

}  // namespace
}  // namespace switchyard::gateway
