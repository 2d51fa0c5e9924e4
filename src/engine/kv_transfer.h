// What a member does for others with its prefix cache: it gives the cached pages of a text's
// beginning, and takes pages that another computed, so that nobody need compute them twice.
//
// Both take their time on the engine's own thread, between steps. `done` is called once, from
// there, or from the caller's thread where nothing can be done at all; it must not block.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/kv_pages.h"

namespace switchyard::engine {

struct KvExportRequest {
  std::string model;  // KvPagesHead::model of what is given
  std::vector<model::TokenId> tokens;
  std::int64_t first_token = 0;  // the pages before its own are not wanted
  std::uint64_t most_bytes = 0;  // of what is given
};

struct KvExported {
  std::string bytes;                 // `kv_pages`
  std::int64_t exported_tokens = 0;  // whose pages are in them
  std::int64_t next_token = 0;       // behind the last page that was given
  std::int64_t cached_tokens = 0;    // of the text; those behind next_token did not fit
};

struct KvImported {
  std::int64_t imported_tokens = 0;  // that were not cached here already
  std::int64_t cached_tokens = 0;    // of the text, from its beginning
};

class KvTransfer {
 public:
  using ExportDone = std::function<void(base::Result<KvExported>)>;
  using ImportDone = std::function<void(base::Result<KvImported>)>;

  virtual ~KvTransfer() = default;

  // kNotFound: the page of first_token is not cached. kInvalidArgument: not one page fits.
  // kAborted: requests needed the pages meanwhile.
  virtual void ExportKv(KvExportRequest request, ExportDone done) = 0;
  // The pages are cached as if a request had computed them: until others are used more recently.
  // kInvalidArgument: they don't fit this model's cache. kFailedPrecondition: pages before them are
  // not cached. kResourceExhausted: requests hold all other pages; what came in time stays.
  virtual void ImportKv(KvPages pages, ImportDone done) = 0;
};

}  // namespace switchyard::engine
