// What was changed in a fleet, by whom and when: a SQLite table to which rows can only be added.
// Each row carries the digest of the one before, so that a change behind the program's back shows.
// Several gateways of a host may share a file; any thread. Writing and reading happen on a thread
// of its own, so that nobody who serves waits for a disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"

namespace switchyard::gateway {

struct AuditEntry {
  std::int64_t id = 0;       // 1, 2, 3 …; given by the log
  std::string time = {};     // "2026-11-29T03:54:12.123456Z"; given by the log
  std::string actor = {};    // "operator/NAME", "member/NAME", "gateway"
  std::string action = {};   // "drain", "join", …
  std::string subject = {};  // what it was done to
  std::string detail = {};   // more, as JSON perhaps
  std::string hash = {};     // of all that and of the entry before; given by the log
};

class AuditLog {
 public:
  // Makes the file if there is none; an empty path keeps the log in memory only. kDataLoss if an
  // entry was altered or taken out.
  static base::Result<std::unique_ptr<AuditLog>> Open(const std::string& path);
  // Writes what was appended before.
  virtual ~AuditLog() = default;

  // `done`, if any, is called on the log's thread when the entry is safe; what it throws is told to
  // it as an error. What is not UTF-8 in the entry becomes U+FFFD.
  virtual void Append(AuditEntry entry, std::function<void(base::Status)> done = {}) = 0;
  // The newest first, with ids below `before`; 0: all. Called on the log's thread.
  using Entries = base::Result<std::vector<AuditEntry>>;
  virtual void Read(std::int64_t limit, std::int64_t before, std::function<void(Entries)> done) = 0;
  // Those of the actions, the oldest first. Waits.
  virtual Entries All(const std::vector<std::string>& actions) = 0;
};

}  // namespace switchyard::gateway
