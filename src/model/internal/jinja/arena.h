// What one rendering may spend: memory, steps and depth. Every value that a template makes lives in
// its rendering's arena until the rendering ends, so values are plain pointers, cycles through
// namespaces and macros are harmless, and a hostile template hits a bound instead of the machine's.
// Not for several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace switchyard::model::jinja {

struct RenderLimits {
  std::uint64_t max_steps = 50'000'000;  // nodes evaluated, items iterated, 64-byte runs copied
  std::size_t max_memory_bytes = std::size_t{256} << 20;  // made in all, not live at once
  std::size_t max_output_bytes = std::size_t{64} << 20;
  int max_depth = 800;  // nested nodes over all macro calls, and iterators that draw from others
};

class Arena {
 public:
  explicit Arena(const RenderLimits& limits) : limits_(limits) {}
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  const RenderLimits& limits() const { return limits_; }

  // Counts `steps`; fails beyond the limit.
  void Spend(std::uint64_t steps) {
    steps_ += steps;
    if (steps_ > limits_.max_steps) FailSteps();
  }

  // Counts memory that lives outside the arena's chunks; fails beyond the limit.
  void Charge(std::size_t bytes) {
    if (bytes > limits_.max_memory_bytes - charged_) FailMemory();
    charged_ += bytes;
  }
  // Takes back what Charge counted, for memory that is free again.
  void Refund(std::size_t bytes) { charged_ -= bytes; }
  std::size_t remaining_bytes() const { return limits_.max_memory_bytes - charged_; }

  // Uninitialised bytes.
  void* Allocate(std::size_t bytes, std::size_t alignment);

  template <typename T>
  T* AllocateArray(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (count > remaining_bytes() / sizeof(T)) FailMemory();
    return static_cast<T*>(Allocate(count * sizeof(T), alignof(T)));
  }

  template <typename T, typename... Args>
  T* New(Args&&... args) {
    T* object = new (Allocate(sizeof(T), alignof(T))) T(std::forward<Args>(args)...);
    if constexpr (!std::is_trivially_destructible_v<T>) {
      Charge(sizeof(Destructor));
      destructors_.push_back({object, [](void* dead) { static_cast<T*>(dead)->~T(); }});
    }
    return object;
  }

  std::string_view Copy(std::string_view text);

 private:
  struct Destructor {
    void* object;
    void (*destroy)(void*);
  };

  friend class DepthGuard;

  [[noreturn]] void FailSteps() const;
  [[noreturn]] void FailMemory() const;
  [[noreturn]] void FailDepth() const;

  RenderLimits limits_;
  std::uint64_t steps_ = 0;
  std::size_t charged_ = 0;
  int depth_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> chunks_;
  std::byte* free_ = nullptr;
  std::size_t free_bytes_ = 0;
  std::vector<Destructor> destructors_;
};

// One more level of what a template nests on the machine's stack, while it lives.
class DepthGuard {
 public:
  explicit DepthGuard(Arena& arena) : arena_(arena) {
    if (arena_.depth_ >= arena_.limits_.max_depth) arena_.FailDepth();
    ++arena_.depth_;
  }
  ~DepthGuard() { --arena_.depth_; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;

 private:
  Arena& arena_;
};

// A string that grows within the arena's bounds and is copied into the arena when complete.
class TextBuilder {
 public:
  explicit TextBuilder(Arena& arena, std::size_t limit_bytes = std::size_t{1} << 62)
      : arena_(arena), limit_(limit_bytes) {}
  ~TextBuilder() { arena_.Refund(text_.size()); }
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  void Append(std::string_view text) {
    Reserve(text.size());
    text_.append(text);
  }
  void Append(char c) {
    Reserve(1);
    text_.push_back(c);
  }
  void Repeat(std::string_view text, std::size_t times);

  std::size_t size() const { return text_.size(); }
  std::string_view Finish() { return arena_.Copy(text_); }
  std::string Text() const { return text_; }

 private:
  void Reserve(std::size_t bytes) {
    if (bytes > limit_ - text_.size()) FailTooLong();
    arena_.Spend(bytes / 64);
    arena_.Charge(bytes);
  }
  [[noreturn]] void FailTooLong() const;

  Arena& arena_;
  std::size_t limit_;
  std::string text_;
};

}  // namespace switchyard::model::jinja
