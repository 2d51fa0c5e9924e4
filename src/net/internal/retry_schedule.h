// When to try an HTTP exchange again: exponential back-off, a server's Retry-After, and a limit on
// attempts in a row without headway. One object serves one download or text, on one thread.
#pragma once

#include "base/error.h"
#include "net/http_options.h"
#include "net/internal/http_exchange.h"

namespace switchyard::net::internal {

class RetrySchedule {
 public:
  explicit RetrySchedule(const HttpOptions& options) : options_(options) {}

  // Sleeps until the next attempt is due. Returns the failure's error when there is none to be.
  base::Status WaitAfter(const ExchangeFailure& failure);
  // Starts counting anew: the last attempt brought something.
  void NoteHeadway() { failures_ = 0; }

 private:
  const HttpOptions& options_;
  int failures_ = 0;
};

}  // namespace switchyard::net::internal
