#include "engine/kv_job.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace switchyard::engine {
namespace {

using base::ErrorCode;
using policy::PageId;

class ExportJob final : public KvJob {
 public:
  ExportJob(Runner& runner, std::mutex& pool_mutex, KvExportRequest request,
            KvTransfer::ExportDone done)
      : runner_(runner),
        pool_mutex_(pool_mutex),
        request_(std::move(request)),
        done_(std::move(done)) {}

  base::Result<bool> Step() override {
    const std::vector<PageId> pages = CachedPages();
    if (!writer_) {
      SWITCHYARD_RETURN_IF_ERROR(Begin(std::ssize(pages)));
    }
    const std::int64_t next = first_page_ + writer_->pages();
    if (next >= std::ssize(pages)) {
      return base::Fail(ErrorCode::kAborted,
                        "requests needed the pages while they were exported: ask again");
    }
    SWITCHYARD_RETURN_IF_ERROR(
        runner_.ExportPage(pages[static_cast<std::size_t>(next)], writer_->NextPage()));
    if (writer_->pages() < page_count_) return false;
    const std::int64_t page_size = runner_.kv_shape().page_size;
    done_(KvExported{writer_->Finish(), page_count_ * page_size, (next + 1) * page_size,
                     std::ssize(pages) * page_size});
    return true;
  }
  void Fail(const base::Error& error) override { done_(std::unexpected(error)); }

 private:
  // They are the most recently used ones from now on.
  std::vector<PageId> CachedPages() {
    const std::lock_guard lock(pool_mutex_);
    std::vector<PageId> held;
    runner_.pool().AcquireFull(request_.tokens, held);
    const std::vector<PageId> pages = held;
    runner_.pool().Release(held);
    return pages;
  }

  base::Status Begin(std::int64_t cached_pages) {
    const KvShape& own = runner_.kv_shape();
    first_page_ = std::max<std::int64_t>(0, request_.first_token) / own.page_size;
    const std::int64_t left = cached_pages - first_page_;
    if (left <= 0) {
      return base::Fail(ErrorCode::kNotFound,
                        "of these {} tokens {} are cached in whole pages, none from token {} on",
                        request_.tokens.size(), cached_pages * own.page_size,
                        request_.first_token);
    }
    KvPagesHead head{request_.model, own, {}};
    const auto tokens_to = [&](std::int64_t page) {
      const auto tokens = std::span(request_.tokens);
      const auto of_text = tokens.first(static_cast<std::size_t>(page * own.page_size));
      head.tokens.assign(of_text.begin(), of_text.end());
    };
    tokens_to(first_page_);
    const std::uint64_t each =
        own.PageBytes() + static_cast<std::uint64_t>(own.page_size) * sizeof(model::TokenId);
    const std::uint64_t least = head.EmptyBytes() + each;
    if (request_.most_bytes < least) {
      return base::Fail(ErrorCode::kInvalidArgument,
                        "a page has {} bytes with what belongs to it, and only {} are allowed",
                        least, request_.most_bytes);
    }
    page_count_ = std::min(
        left, static_cast<std::int64_t>((request_.most_bytes - head.EmptyBytes()) / each));
    tokens_to(first_page_ + page_count_);
    head.shape.pages = page_count_;
    writer_.emplace(head);
    return {};
  }

  Runner& runner_;
  std::mutex& pool_mutex_;
  KvExportRequest request_;
  KvTransfer::ExportDone done_;
  std::int64_t first_page_ = 0;
  std::int64_t page_count_ = 0;
  std::optional<KvPagesWriter> writer_;
};

class ImportJob final : public KvJob {
 public:
  ImportJob(Runner& runner, std::mutex& pool_mutex, KvPages pages, KvTransfer::ImportDone done)
      : runner_(runner),
        pool_mutex_(pool_mutex),
        pages_(std::move(pages)),
        done_(std::move(done)) {}

  base::Result<bool> Step() override {
    if (page_.empty()) {  // the first one
      SWITCHYARD_RETURN_IF_ERROR(CheckHead());
      page_.resize(static_cast<std::size_t>(runner_.kv_shape().PageBytes()));
    }
    policy::PagePool& pool = runner_.pool();
    const std::int64_t full = std::ssize(pages_.head().tokens) / pool.page_size();
    std::vector<PageId> chain;  // the text's pages up to the next one, held meanwhile
    std::unique_lock lock(pool_mutex_);
    pool.AcquireFull(pages_.head().tokens, chain);
    std::int64_t cached = std::ssize(chain);
    base::Status status;
    if (cached < full) {
      status = ImportNext(lock, chain);
      if (status) ++cached;
    }
    pool.Release(chain);
    lock.unlock();
    if (!status) return std::unexpected(std::move(status.error()));
    if (cached < full) return false;
    done_(KvImported{imported_ * pool.page_size(), cached * pool.page_size()});
    return true;
  }
  void Fail(const base::Error& error) override { done_(std::unexpected(error)); }

 private:
  base::Status CheckHead() const {
    SWITCHYARD_RETURN_IF_ERROR(CheckFits(pages_.head(), runner_.kv_shape()));
    const model::TokenId highest = *std::ranges::max_element(pages_.head().tokens);
    if (highest < runner_.vocabulary_size()) return {};
    return base::Fail(ErrorCode::kInvalidArgument,
                      "the KV pages are of a text with token {}, and the vocabulary has {}",
                      highest, runner_.vocabulary_size());
  }

  // Writes and publishes the page behind `chain`, and appends it.
  base::Status ImportNext(std::unique_lock<std::mutex>& lock, std::vector<PageId>& chain) {
    policy::PagePool& pool = runner_.pool();
    const KvPagesHead& head = pages_.head();
    const std::int64_t next = std::ssize(chain);
    const std::int64_t first_token = next * pool.page_size();
    if (first_token < head.first_token()) {
      return base::Fail(ErrorCode::kFailedPrecondition,
                        "the KV pages begin with token {}, and of the text before it {} tokens are "
                        "cached here: import from token {} on",
                        head.first_token(), first_token, first_token);
    }
    if (!pool.Take(1, chain)) {
      return base::Fail(ErrorCode::kResourceExhausted,
                        "requests hold all KV pages but the {} tokens of this text that are cached "
                        "by now",
                        first_token);
    }
    lock.unlock();
    pages_.CopyPage(first_token, pool.page_size(), page_);
    const base::Status written = runner_.ImportPage(chain.back(), page_);
    lock.lock();
    SWITCHYARD_RETURN_IF_ERROR(written);
    const auto text = std::span(head.tokens);
    const auto up_to_page = text.first(static_cast<std::size_t>(first_token + pool.page_size()));
    if (pool.Publish(up_to_page, chain, next) == next) {
      return base::Fail(ErrorCode::kAborted,
                        "the page from token {} on cannot be cached beside another one of the same "
                        "hash; what came before it is",
                        first_token);
    }
    ++imported_;
    return {};
  }

  Runner& runner_;
  std::mutex& pool_mutex_;
  KvPages pages_;
  KvTransfer::ImportDone done_;
  std::vector<std::byte> page_;
  std::int64_t imported_ = 0;  // pages
};

}  // namespace

std::unique_ptr<KvJob> MakeExport(Runner& runner, std::mutex& pool_mutex, KvExportRequest request,
                                  KvTransfer::ExportDone done) {
  return std::make_unique<ExportJob>(runner, pool_mutex, std::move(request), std::move(done));
}

std::unique_ptr<KvJob> MakeImport(Runner& runner, std::mutex& pool_mutex, KvPages pages,
                                  KvTransfer::ImportDone done) {
  return std::make_unique<ImportJob>(runner, pool_mutex, std::move(pages), std::move(done));
}

}  // namespace switchyard::engine
