// SQLite as values and results: a database, and statements that free themselves.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace switchyard::gateway::internal {

class SqliteStatement {
 public:
  SqliteStatement(sqlite3_stmt* statement, sqlite3* database)
      : statement_(statement), database_(database) {}

  void Bind(int place, std::string_view text);  // from 1
  void Bind(int place, std::int64_t number);
  // True: there is a row. kAborted: a constraint or trigger forbids it.
  base::Result<bool> Step();
  std::string Text(int column) const;  // from 0
  std::int64_t Number(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  sqlite3* database_;
};

class SqliteFile {
 public:
  // ":memory:" is none.
  static base::Result<SqliteFile> Open(const std::string& path);

  base::Status Run(const std::string& sql);  // without rows
  base::Result<SqliteStatement> Prepare(std::string_view sql);

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace switchyard::gateway::internal
