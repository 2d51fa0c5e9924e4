#include <sys/mman.h>

#include <cstring>
#include <map>

#include "stream.h"

namespace pretend {
namespace {

constexpr std::uint64_t kCardBytes = std::uint64_t{4} << 30;
// Addresses that no process has: Linux gives out none above 2^47.
constexpr Address kFirstAddress = Address{0xca4d} << 48;

std::uint64_t RoundUp(std::uint64_t value, std::uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

struct Card {
  std::byte* memory = nullptr;
  std::mutex mutex;
  std::map<std::uint64_t, std::uint64_t> blocks;  // offset: bytes, of what is allocated
  std::uint64_t used_bytes = 0;
};

struct Event {
  std::mutex mutex;
  std::shared_ptr<Marker> last;  // null until recorded
};

const char* Text(Result result) {
  switch (result) {
    case Result::kOk:
      return "success";
    case Result::kBadArgument:
      return "bad argument";
    case Result::kOutOfMemory:
      return "out of card memory";
    case Result::kMisaligned:
      return "misaligned memory or rows";
    case Result::kUnsupportedType:
      return "unsupported type";
    case Result::kFault:
      return "access outside of the card's memory";
  }
  return "unknown";
}

int CardCount() { return 1; }

Result OpenCard(int index, Card** card) {
  if (index != 0 || card == nullptr) return Result::kBadArgument;
  void* const memory = ::mmap(nullptr, kCardBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return Result::kOutOfMemory;
  auto opened = std::make_unique<Card>();
  opened->memory = static_cast<std::byte*>(memory);
  *card = opened.release();
  return Result::kOk;
}

void CloseCard(Card* card) {
  ::munmap(card->memory, kCardBytes);
  delete card;
}

Result MemorySizes(Card* card, std::uint64_t* free_bytes, std::uint64_t* total_bytes) {
  const std::lock_guard lock(card->mutex);
  *free_bytes = kCardBytes - card->used_bytes;
  *total_bytes = kCardBytes;
  return Result::kOk;
}

Result Allocate(Card* card, std::uint64_t bytes, Address* address) {
  if (bytes == 0 || address == nullptr) return Result::kBadArgument;
  if (bytes > kCardBytes) return Result::kOutOfMemory;
  const std::uint64_t rounded = RoundUp(bytes, kAlignmentBytes);
  const std::lock_guard lock(card->mutex);
  std::uint64_t offset = 0;
  for (const auto& [begin, size] : card->blocks) {
    if (begin - offset >= rounded) break;
    offset = begin + size;
  }
  if (rounded > kCardBytes - offset) return Result::kOutOfMemory;
  card->blocks[offset] = rounded;
  card->used_bytes += rounded;
  *address = kFirstAddress + offset;
  return Result::kOk;
}

void Free(Card* card, Address address) {
  const std::lock_guard lock(card->mutex);
  const auto block = card->blocks.find(address - kFirstAddress);
  if (block == card->blocks.end()) return;
  // Whole pages go back to the system.
  constexpr std::uint64_t kPage = 4096;
  const std::uint64_t begin = RoundUp(block->first, kPage);
  const std::uint64_t end = (block->first + block->second) / kPage * kPage;
  if (begin < end) ::madvise(card->memory + begin, end - begin, MADV_DONTNEED);
  card->used_bytes -= block->second;
  card->blocks.erase(block);
}

std::byte* Translate(const Card* card, Address address, std::uint64_t bytes) {
  const std::uint64_t offset = address - kFirstAddress;
  if (address < kFirstAddress || offset > kCardBytes || bytes > kCardBytes - offset) return nullptr;
  return card->memory + offset;
}

// ---- Streams ------------------------------------------------------------------------------------

void Marker::Pass(Result reached) {
  const std::lock_guard lock(mutex);
  is_passed = true;
  result = reached;
  passed.notify_all();
}

Result Marker::Await() {
  std::unique_lock lock(mutex);
  passed.wait(lock, [&] { return is_passed; });
  return result;
}

Stream::Stream(Card* owner) : card(owner), thread_([this] { Work(); }) {}

Stream::~Stream() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Stream::Push(std::function<Result()> task) { Enqueue({std::move(task), nullptr, false}); }
void Stream::PushMarker(const std::shared_ptr<Marker>& marker, bool ends_failure) {
  Enqueue({nullptr, marker, ends_failure});
}

void Stream::Enqueue(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void Stream::Work() {
  Result failure = Result::kOk;
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return is_closing_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    if (task.marker != nullptr) {
      task.marker->Pass(failure);
      if (task.ends_failure) failure = Result::kOk;
    } else if (failure == Result::kOk) {
      failure = task.work();
    }
  }
}

Result CreateStream(Card* card, Stream** stream) {
  *stream = new Stream(card);
  return Result::kOk;
}

void DestroyStream(Stream* stream) { delete stream; }

Result Synchronise(Stream* stream) {
  const auto marker = std::make_shared<Marker>();
  stream->PushMarker(marker, true);
  return marker->Await();
}

Result CopyIn(Stream* stream, Address to, const void* from, std::uint64_t bytes) {
  stream->Push([=] {
    std::byte* const target = Translate(stream->card, to, bytes);
    if (target == nullptr) return Result::kFault;
    std::memcpy(target, from, bytes);
    return Result::kOk;
  });
  return Result::kOk;
}

Result CopyOut(Stream* stream, void* to, Address from, std::uint64_t bytes) {
  stream->Push([=] {
    const std::byte* const source = Translate(stream->card, from, bytes);
    if (source == nullptr) return Result::kFault;
    std::memcpy(to, source, bytes);
    return Result::kOk;
  });
  return Result::kOk;
}

Result CopyWithin(Stream* stream, Address to, Address from, std::uint64_t bytes) {
  stream->Push([=] {
    std::byte* const target = Translate(stream->card, to, bytes);
    const std::byte* const source = Translate(stream->card, from, bytes);
    if (target == nullptr || source == nullptr) return Result::kFault;
    std::memcpy(target, source, bytes);
    return Result::kOk;
  });
  return Result::kOk;
}

Result Fill(Stream* stream, Address to, std::uint8_t value, std::uint64_t bytes) {
  stream->Push([=] {
    std::byte* const target = Translate(stream->card, to, bytes);
    if (target == nullptr) return Result::kFault;
    std::memset(target, value, bytes);
    return Result::kOk;
  });
  return Result::kOk;
}

// ---- Events -------------------------------------------------------------------------------------

Result CreateEvent(Card* /*card*/, Event** event) {
  *event = new Event;
  return Result::kOk;
}

void DestroyEvent(Event* event) { delete event; }

Result Record(Stream* stream, Event* event) {
  const auto marker = std::make_shared<Marker>();
  {
    const std::lock_guard lock(event->mutex);
    event->last = marker;
  }
  stream->PushMarker(marker, false);
  return Result::kOk;
}

Result Wait(Stream* stream, Event* event) {
  const std::lock_guard lock(event->mutex);
  if (event->last == nullptr) return Result::kOk;
  stream->Push([marker = event->last] { return marker->Await(); });
  return Result::kOk;
}

Result Synchronise(Event* event) {
  std::shared_ptr<Marker> marker;
  {
    const std::lock_guard lock(event->mutex);
    marker = event->last;
  }
  return marker == nullptr ? Result::kOk : marker->Await();
}

}  // namespace pretend
