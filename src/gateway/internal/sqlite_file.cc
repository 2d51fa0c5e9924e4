#include "gateway/internal/sqlite_file.h"

namespace switchyard::gateway::internal {
namespace {

using base::ErrorCode;
using base::Fail;

std::unexpected<base::Error> Failed(sqlite3* database, int code = SQLITE_ERROR) {
  return Fail(code == SQLITE_CONSTRAINT ? ErrorCode::kAborted : ErrorCode::kInternal, "SQLite: {}",
              database == nullptr ? "out of memory" : sqlite3_errmsg(database));
}

}  // namespace

void SqliteStatement::Bind(int place, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), place, text.data(), text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
}

void SqliteStatement::Bind(int place, std::int64_t number) {
  sqlite3_bind_int64(statement_.get(), place, number);
}

base::Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failed(database_, code);
}

std::string SqliteStatement::Text(int column) const {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), bytes);
}

std::int64_t SqliteStatement::Number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

base::Result<SqliteFile> SqliteFile::Open(const std::string& path) {
  sqlite3* database = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  SqliteFile file;
  file.database_.reset(database);
  if (code != SQLITE_OK) return Failed(database);
  sqlite3_busy_timeout(database, 5'000);
  return file;
}

base::Status SqliteFile::Run(const std::string& sql) {
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failed(database_.get());
  return {};
}

base::Result<SqliteStatement> SqliteFile::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      &statement, nullptr);
  if (code != SQLITE_OK) return Failed(database_.get());
  return SqliteStatement(statement, database_.get());
}

}  // namespace switchyard::gateway::internal
