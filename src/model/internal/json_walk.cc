#include "model/internal/json_walk.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace switchyard::model::internal {
namespace {

using base::ErrorCode;
using base::Fail;
using base::Status;

constexpr std::size_t kMaxDepth = 8;

// Turns the parser's events into ours: keeps the path, and the failure for which the parser, that
// knows only true and false, was stopped.
class Adapter : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Adapter(JsonEvents& events) : events_(events) {}

  Status TakeStatus() { return std::move(status_); }

  bool null() override { return Pass(events_.OnOther(path_)); }
  bool boolean(bool) override { return Pass(events_.OnOther(path_)); }
  bool number_integer(number_integer_t) override { return Pass(events_.OnOther(path_)); }
  bool number_unsigned(number_unsigned_t value) override {
    return Pass(events_.OnUnsigned(path_, value));
  }
  bool number_float(number_float_t, const string_t&) override {
    return Pass(events_.OnOther(path_));
  }
  bool string(string_t& value) override { return Pass(events_.OnString(path_, value)); }
  bool binary(binary_t&) override { return Pass(events_.OnOther(path_)); }
  bool start_object(std::size_t) override { return Pass(events_.OnObject(path_)) && Enter(); }
  bool start_array(std::size_t) override { return Pass(events_.OnArray(path_)) && Enter(); }
  bool key(string_t& value) override {
    path_.back() = std::move(value);
    return true;
  }
  bool end_object() override { return Leave(); }
  bool end_array() override { return Leave(); }
  // The parser's own words may quote a token of any length.
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Pass(Fail(ErrorCode::kInvalidArgument,
                     "not valid JSON at byte {}: the file is damaged; fetch it again", position));
  }

 private:
  bool Pass(Status status) {
    status_ = std::move(status);
    return status_.has_value();
  }
  bool Enter() {
    path_.emplace_back();
    if (path_.size() <= kMaxDepth) return true;
    return Pass(
        Fail(ErrorCode::kInvalidArgument, "JSON is nested deeper than {} levels", kMaxDepth));
  }
  bool Leave() {
    path_.pop_back();
    return true;
  }

  JsonEvents& events_;
  std::vector<std::string> path_;
  Status status_;
};

}  // namespace

Status WalkJson(std::string_view text, JsonEvents& events) {
  Adapter adapter(events);
  nlohmann::json::sax_parse(text, &adapter);
  return adapter.TakeStatus();
}

}  // namespace switchyard::model::internal
