#include "net/download.h"

#include <charconv>
#include <system_error>
#include <utility>

#include "base/sha256.h"
#include "net/file_lock.h"
#include "net/internal/http_exchange.h"
#include "net/internal/partial_file.h"
#include "net/internal/retry_schedule.h"
#include "net/url.h"

namespace switchyard::net {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
using internal::Exchange;
using internal::ExchangeFailure;
using internal::FileVersion;
using internal::PartialFile;
using internal::ResponseHead;

namespace fs = std::filesystem;

// An attempt that adds this much counts as headway, however often the connection breaks.
constexpr std::uint64_t kHeadwayBytes = std::uint64_t{1} << 20;

struct ContentRange {
  std::optional<std::uint64_t> first;  // absent in the form for a 416: "bytes */total"
  std::optional<std::uint64_t> total;  // absent where the server does not know
};

// RFC 9110 section 14.4: "bytes first-last/total", either side of the slash possibly "*".
std::optional<ContentRange> ParseContentRange(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  const std::size_t slash = text.find('/');
  if (!text.starts_with(kUnit) || slash == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return value;
  };
  const std::string_view range = text.substr(kUnit.size(), slash - kUnit.size());
  return ContentRange{number(range.substr(0, range.find('-'))), number(text.substr(slash + 1))};
}

bool IsStrong(const std::string& etag) { return !etag.empty() && !etag.starts_with("W/"); }

class Transfer {
 public:
  Transfer(const DownloadRequest& request, const HttpOptions& options, PartialFile file)
      : request_(request),
        options_(options),
        shown_url_(UrlForDisplay(request.url)),
        file_(std::move(file)),
        most_bytes_(file_.size_bytes()),
        holds_older_bytes_(file_.size_bytes() > 0) {}

  Result<DownloadedFile> Run() {
    while (true) {
      SWITCHYARD_RETURN_IF_ERROR(Receive());
      const std::string sha256 = file_.Sha256();
      if (request_.expected_sha256.empty() || sha256 == request_.expected_sha256) {
        SWITCHYARD_RETURN_IF_ERROR(file_.Commit());
        return DownloadedFile{file_.size_bytes(), sha256};
      }
      if (!holds_older_bytes_) {
        const std::uint64_t size = file_.size_bytes();
        file_.Discard();
        return base::Fail(ErrorCode::kDataLoss,
                          "'{}' came with {} bytes of sha256 {} where {} is expected; the file was "
                          "removed: it was damaged on the way or is not the one that is meant",
                          shown_url_, size, sha256, request_.expected_sha256);
      }
      // The fault may lie in what an earlier run left, so the file gets one chance from its start.
      holds_older_bytes_ = false;
      Notice("the parts do not fit together; starting again");
      SWITCHYARD_RETURN_IF_ERROR(file_.Restart({}));
    }
  }

 private:
  // Attempts until the file is whole or hope is gone.
  Status Receive() {
    internal::RetrySchedule schedule(options_);
    while (!IsWhole()) {
      std::expected<ResponseHead, ExchangeFailure> head = Attempt();
      if (head) return {};
      if (head.error().head.status == 416) {
        // The server holds nothing beyond what is here: whole, or a file that has become shorter.
        const auto range = ParseContentRange(head.error().head.content_range);
        const std::uint64_t size = file_.size_bytes();
        const bool is_all = range && range->total == size && CanResume();
        if (is_all && request_.expected_bytes.value_or(size) == size) return {};
        if (size == 0) return std::unexpected(head.error().error);
        if (is_all) Notice(SizeMismatch(size).message + "; starting again");
        SWITCHYARD_RETURN_IF_ERROR(file_.Restart({}));
        continue;
      }
      if (file_.size_bytes() >= most_bytes_ + kHeadwayBytes) {
        most_bytes_ = file_.size_bytes();
        schedule.NoteHeadway();
      }
      SWITCHYARD_RETURN_IF_ERROR(schedule.WaitAfter(head.error()));
    }
    return {};
  }

  // Only the checksum can say so before the server is asked.
  bool IsWhole() const {
    return !request_.expected_sha256.empty() && request_.expected_bytes == file_.size_bytes();
  }

  // A server that names no version of its file can still be asked for the rest where a checksum
  // will tell whether the parts fit.
  bool CanResume() const {
    const FileVersion& version = file_.version();
    if (file_.size_bytes() == 0) return false;
    if (!request_.expected_sha256.empty()) return true;
    return version.url == request_.url &&
           (IsStrong(version.etag) || !version.last_modified.empty());
  }

  std::expected<ResponseHead, ExchangeFailure> Attempt() {
    Exchange exchange;
    exchange.url = request_.url;
    const bool resumes = CanResume();
    if (resumes) {
      const FileVersion& version = file_.version();
      exchange.headers.push_back(fmt::format("Range: bytes={}-", file_.size_bytes()));
      // RFC 9110 section 13.1.5: a file that has changed since is then sent whole.
      if (IsStrong(version.etag)) {
        exchange.headers.push_back("If-Range: " + version.etag);
      } else if (!version.last_modified.empty()) {
        exchange.headers.push_back("If-Range: " + version.last_modified);
      }
    }
    bool must_restart = false;
    exchange.on_head = [&](const ResponseHead& head) -> Status {
      if (head.status != 206) return BeginWhole(head);
      if (resumes && FitsWhatIsHere(head)) {
        total_bytes_ = ParseContentRange(head.content_range)->total;
        return CheckTotal();
      }
      must_restart = true;
      return base::Fail(ErrorCode::kAborted, "'{}' sends a part that was not asked for",
                        shown_url_);
    };
    exchange.on_body = [&](std::span<const std::byte> bytes) { return Append(bytes); };
    if (request_.on_progress) {
      exchange.on_tick = [&] { request_.on_progress({file_.size_bytes(), total_bytes_}); };
    }
    auto head = internal::PerformExchange(exchange, options_);
    if (!head && must_restart && resumes) {
      if (Status restarted = file_.Restart({}); !restarted) {
        return std::unexpected(ExchangeFailure{std::move(restarted.error()), false, {}});
      }
      head.error().may_pass = true;
    }
    if (head && total_bytes_ && file_.size_bytes() < *total_bytes_) {
      return std::unexpected(ExchangeFailure{
          {ErrorCode::kUnavailable, fmt::format("'{}' ended after {} of {} bytes", shown_url_,
                                                file_.size_bytes(), *total_bytes_)},
          true,
          {}});
    }
    if (head && request_.expected_bytes && file_.size_bytes() != *request_.expected_bytes) {
      return std::unexpected(ExchangeFailure{SizeMismatch(file_.size_bytes()), false, {}});
    }
    return head;
  }

  Status BeginWhole(const ResponseHead& head) {
    total_bytes_ = head.content_length;
    SWITCHYARD_RETURN_IF_ERROR(CheckTotal());
    SWITCHYARD_RETURN_IF_ERROR(
        file_.Restart({request_.url, head.etag, head.last_modified, head.content_length}));
    holds_older_bytes_ = false;
    return CheckRoom();
  }

  bool FitsWhatIsHere(const ResponseHead& head) const {
    const auto range = ParseContentRange(head.content_range);
    if (!range || range->first != file_.size_bytes()) return false;
    const FileVersion& version = file_.version();
    if (version.total_bytes && range->total && version.total_bytes != range->total) return false;
    return head.etag.empty() || version.etag.empty() || head.etag == version.etag;
  }

  base::Error SizeMismatch(std::uint64_t size) const {
    return {ErrorCode::kDataLoss,
            fmt::format("'{}' holds {} bytes where {} are expected; it is not the file that is "
                        "meant",
                        shown_url_, size, *request_.expected_bytes)};
  }

  Status CheckTotal() const {
    if (!total_bytes_) return {};
    if (request_.expected_bytes && *total_bytes_ != *request_.expected_bytes) {
      return std::unexpected(SizeMismatch(*total_bytes_));
    }
    if (*total_bytes_ > request_.max_bytes) return TooLarge();
    return {};
  }

  Status CheckRoom() const {
    if (!total_bytes_) return {};
    std::error_code error;
    const fs::space_info space = fs::space(request_.destination.parent_path(), error);
    if (error || space.available >= *total_bytes_) return {};
    return base::Fail(ErrorCode::kResourceExhausted,
                      "'{}' needs {} bytes and the disk of '{}' has {} left; make room, or choose "
                      "another cache folder",
                      shown_url_, *total_bytes_, request_.destination.parent_path().string(),
                      space.available);
  }

  Status TooLarge() const {
    return base::Fail(ErrorCode::kResourceExhausted,
                      "'{}' is larger than the {} bytes that are accepted", shown_url_,
                      request_.max_bytes);
  }

  Status Append(std::span<const std::byte> bytes) {
    if (bytes.size() > request_.max_bytes - std::min(request_.max_bytes, file_.size_bytes())) {
      return TooLarge();
    }
    if (request_.expected_bytes && file_.size_bytes() + bytes.size() > *request_.expected_bytes) {
      return std::unexpected(SizeMismatch(file_.size_bytes() + bytes.size()));
    }
    return file_.Append(bytes);
  }

  void Notice(std::string_view text) const {
    if (options_.on_notice) options_.on_notice(text);
  }

  const DownloadRequest& request_;
  const HttpOptions& options_;
  std::string shown_url_;
  PartialFile file_;
  std::uint64_t most_bytes_;
  bool holds_older_bytes_;  // from an earlier run
  std::optional<std::uint64_t> total_bytes_;
};

// What another process left at the destination while the lock was waited for, if it is right.
std::optional<DownloadedFile> TakeFinished(const DownloadRequest& request) {
  std::error_code error;
  const std::uint64_t size = fs::file_size(request.destination, error);
  if (error || (request.expected_bytes && size != *request.expected_bytes)) return std::nullopt;
  auto sha256 = base::Sha256OfFile(request.destination);
  if (!sha256) return std::nullopt;
  if (!request.expected_sha256.empty() && *sha256 != request.expected_sha256) return std::nullopt;
  return DownloadedFile{size, *std::move(sha256)};
}

}  // namespace

Result<DownloadedFile> Download(const DownloadRequest& request, const HttpOptions& options) {
  SWITCHYARD_CHECK(request.max_bytes > 0);
  const fs::path folder = request.destination.parent_path();
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return base::Fail(ErrorCode::kPermissionDenied, "cannot make the folder '{}': {}",
                      folder.string(), error.message());
  }
  SWITCHYARD_TRY(const FileLock lock,
                 FileLock::Acquire(request.destination.string() + ".lock", [&] {
                   if (options.on_notice) {
                     options.on_notice(fmt::format("another process is bringing '{}'; waiting",
                                                   request.destination.filename().string()));
                   }
                 }));
  if (lock.waited()) {
    if (auto finished = TakeFinished(request)) return *std::move(finished);
  }
  SWITCHYARD_TRY(PartialFile file, PartialFile::Open(request.destination));
  return Transfer(request, options, std::move(file)).Run();
}

}  // namespace switchyard::net
