// Reads one HTTP answer and hands its body on as it lies in the buffer: Beast's grammar without its
// containers.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "net/http_client.h"

namespace switchyard::net::internal {

class ResponseParser final : public boost::beast::http::basic_parser<false> {
 public:
  // Views are valid during the call.
  explicit ResponseParser(std::function<void(std::string_view)> on_body)
      : on_body_(std::move(on_body)) {
    body_limit(boost::none);
    eager(true);
  }

  CallHead& head() { return head_; }

 private:
  using error_code = boost::beast::error_code;
  using View = boost::beast::string_view;
  static std::string_view Std(View text) { return {text.data(), text.size()}; }

  void on_request_impl(boost::beast::http::verb, View, View, int, error_code&) override {}
  void on_response_impl(int code, View, int, error_code&) override { head_.status = code; }
  void on_field_impl(boost::beast::http::field, View name, View value, error_code&) override {
    if (head_.headers.empty()) head_.headers.reserve(12);
    head_.headers.emplace_back(Std(name), Std(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(View body, error_code&) override {
    on_body_(Std(body));
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    on_body_(Std(body));
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  CallHead head_;
  std::function<void(std::string_view)> on_body_;
};

}  // namespace switchyard::net::internal
