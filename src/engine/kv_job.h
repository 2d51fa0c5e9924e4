// An export or import of KV pages in the hands of a batch engine, which moves one page at a time
// between its steps. No page is held from one step to the next: what requests need, they get.
//
// All is called on the thread of the engine, which alone changes the pool of pages; `pool_mutex`
// keeps others from looking at it meanwhile.
#pragma once

#include <memory>
#include <mutex>

#include "base/error.h"
#include "engine/kv_transfer.h"
#include "engine/runner.h"

namespace switchyard::engine {

class KvJob {
 public:
  virtual ~KvJob() = default;

  // Moves a page. True if that was the last, and its `done` was told; after an error Fail must be
  // called. kUnavailable means that the device is lost.
  virtual base::Result<bool> Step() = 0;
  virtual void Fail(const base::Error& error) = 0;
};

std::unique_ptr<KvJob> MakeExport(Runner& runner, std::mutex& pool_mutex, KvExportRequest request,
                                  KvTransfer::ExportDone done);
std::unique_ptr<KvJob> MakeImport(Runner& runner, std::mutex& pool_mutex, KvPages pages,
                                  KvTransfer::ImportDone done);

}  // namespace switchyard::engine
