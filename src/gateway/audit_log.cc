#include "gateway/audit_log.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>

#include "base/json.h"
#include "base/sha256.h"
#include "gateway/internal/clock_text.h"
#include "gateway/internal/sqlite_file.h"

namespace switchyard::gateway {
namespace {

using base::ErrorCode;
using base::Fail;
using internal::SqliteFile;
using internal::SqliteStatement;

// The triggers stop whoever uses SQL; the digests show who does not.
constexpr std::string_view kSchema = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS audit (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'an audit log is never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'nothing is taken out of an audit log'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_gap BEFORE INSERT ON audit
  WHEN NEW.id <> (SELECT ifnull(max(id), 0) + 1 FROM audit)
  BEGIN SELECT RAISE(ABORT, 'entries of an audit log follow one another'); END;
)sql";
constexpr std::string_view kColumns = "id, time, actor, action, subject, detail, hash";

std::string HashOf(const AuditEntry& entry, std::string_view previous) {
  base::Sha256 sha;
  const std::string id = std::to_string(entry.id);
  for (const std::string_view part :
       {previous, std::string_view(id), std::string_view(entry.time), std::string_view(entry.actor),
        std::string_view(entry.action), std::string_view(entry.subject),
        std::string_view(entry.detail)}) {
    // With their lengths, so that no text can pass for the end of one and the begin of another.
    const std::string length = fmt::format("{}:", part.size());
    sha.Update(std::as_bytes(std::span(length)));
    sha.Update(std::as_bytes(std::span(part)));
  }
  return sha.HexDigest();
}

AuditEntry EntryOf(const SqliteStatement& row) {
  return {row.Number(0), row.Text(1), row.Text(2), row.Text(3),
          row.Text(4),   row.Text(5), row.Text(6)};
}

// The table, on one thread.
class Table {
 public:
  static base::Result<Table> Open(const std::string& path) {
    auto file = SqliteFile::Open(path.empty() ? ":memory:" : path);
    if (!file) {
      file.error().message += "; make its folder, or name another audit_file";
      return base::Rethrow(std::move(file.error()), "the audit log '{}'", path);
    }
    Table table(std::move(*file));
    if (auto status = table.file_.Run(std::string(kSchema)); !status) {
      return base::Rethrow(std::move(status.error()), "the audit log '{}'", path);
    }
    if (auto status = table.VerifyRest(); !status) {
      return base::Rethrow(std::move(status.error()), "the audit log '{}'", path);
    }
    return table;
  }

  base::Status Append(AuditEntry entry) {
    for (std::string* text : {&entry.actor, &entry.action, &entry.subject, &entry.detail}) {
      *text = base::ReplaceBrokenUtf8(*text);
    }
    entry.time = internal::UtcNow();
    const base::Status status = Insert(entry);
    if (status || status.error().code != ErrorCode::kAborted) return status;
    // Another gateway writes into the same file.
    SWITCHYARD_RETURN_IF_ERROR(VerifyRest());
    return Insert(std::move(entry));
  }

  AuditLog::Entries Read(std::int64_t limit, std::int64_t before) {
    SWITCHYARD_TRY(SqliteStatement select,
                   file_.Prepare(fmt::format("SELECT {} FROM audit WHERE ?1 = 0 OR id < ?1 "
                                             "ORDER BY id DESC LIMIT ?2",
                                             kColumns)));
    select.Bind(1, before);
    select.Bind(2, limit);
    return Rows(select, [](const AuditEntry&) { return true; });
  }

  AuditLog::Entries All(const std::vector<std::string>& actions) {
    SWITCHYARD_TRY(SqliteStatement select,
                   file_.Prepare(fmt::format("SELECT {} FROM audit ORDER BY id", kColumns)));
    return Rows(select, [&](const AuditEntry& entry) {
      return std::ranges::find(actions, entry.action) != actions.end();
    });
  }

 private:
  explicit Table(SqliteFile file) : file_(std::move(file)) {}

  template <typename Predicate>
  static AuditLog::Entries Rows(SqliteStatement& select, Predicate is_wanted) {
    std::vector<AuditEntry> entries;
    while (true) {
      SWITCHYARD_TRY(const bool is_row, select.Step());
      if (!is_row) return entries;
      AuditEntry entry = EntryOf(select);
      if (is_wanted(entry)) entries.push_back(std::move(entry));
    }
  }

  base::Status Insert(AuditEntry entry) {
    entry.id = last_id_ + 1;
    entry.hash = HashOf(entry, last_hash_);
    SWITCHYARD_TRY(SqliteStatement insert,
                   file_.Prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)"));
    insert.Bind(1, entry.id);
    insert.Bind(2, entry.time);
    insert.Bind(3, entry.actor);
    insert.Bind(4, entry.action);
    insert.Bind(5, entry.subject);
    insert.Bind(6, entry.detail);
    insert.Bind(7, entry.hash);
    SWITCHYARD_RETURN_IF_ERROR(insert.Step());
    last_id_ = entry.id;
    last_hash_ = std::move(entry.hash);
    return {};
  }

  // What lies behind the last entry that is known.
  base::Status VerifyRest() {
    SWITCHYARD_TRY(
        SqliteStatement select,
        file_.Prepare(fmt::format("SELECT {} FROM audit WHERE id > ? ORDER BY id", kColumns)));
    select.Bind(1, last_id_);
    while (true) {
      SWITCHYARD_TRY(const bool is_row, select.Step());
      if (!is_row) return {};
      const AuditEntry entry = EntryOf(select);
      if (entry.id != last_id_ + 1 || entry.hash != HashOf(entry, last_hash_)) {
        return Fail(ErrorCode::kDataLoss,
                    "entry {} is not as it was written, or one before it is missing; keep the file "
                    "as evidence, and name another one as audit_file",
                    entry.id);
      }
      last_id_ = entry.id;
      last_hash_ = entry.hash;
    }
  }

  SqliteFile file_;
  std::int64_t last_id_ = 0;
  std::string last_hash_;
};

class ThreadedLog final : public AuditLog {
 public:
  explicit ThreadedLog(Table table) : table_(std::move(table)), thread_([this] { Work(); }) {}
  ~ThreadedLog() override {
    Post({});
    thread_.join();
  }

  void Append(AuditEntry entry, std::function<void(base::Status)> done) override {
    Post({.work =
              [this, entry = std::move(entry), done] {
                const base::Status status = table_.Append(entry);
                if (done) done(status);
              },
          .failed =
              [done](base::Error error) {
                if (done) done(std::unexpected(std::move(error)));
              }});
  }
  void Read(std::int64_t limit, std::int64_t before, std::function<void(Entries)> done) override {
    Post({.work = [this, limit, before, done] { done(table_.Read(limit, before)); },
          .failed = [done](base::Error error) { done(std::unexpected(std::move(error))); }});
  }
  Entries All(const std::vector<std::string>& actions) override {
    std::promise<Entries> entries;
    Post({.work = [&] { entries.set_value(table_.All(actions)); },
          .failed =
              [&](base::Error error) { entries.set_value(std::unexpected(std::move(error))); }});
    return entries.get_future().get();
  }

 private:
  struct Task {
    std::function<void()> work;               // none: the end
    std::function<void(base::Error)> failed;  // if the work threw
  };
  void Post(Task task) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(task));
    }
    has_work_.notify_one();
  }
  void Work() {
    while (true) {
      Task task;
      {
        std::unique_lock lock(mutex_);
        has_work_.wait(lock, [this] { return !queue_.empty(); });
        task = std::move(queue_.front());
        queue_.pop_front();
      }
      if (!task.work) return;
      try {
        task.work();
      } catch (const std::exception& failure) {
        // One caller's trouble is not the gateway's.
        task.failed({ErrorCode::kInternal, fmt::format("the audit log: {}", failure.what())});
      }
    }
  }

  Table table_;  // the thread's
  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<Task> queue_;  // guarded by `mutex_`
  std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<AuditLog>> AuditLog::Open(const std::string& path) {
  SWITCHYARD_TRY(Table table, Table::Open(path));
  return std::make_unique<ThreadedLog>(std::move(table));
}

}  // namespace switchyard::gateway
