// Reads the head of one HTTP request, and a body that comes in chunks, into our own form: Beast's
// grammar without its containers. A body of a known length is not for the parser: whoever reads it
// from the connection puts it where it belongs.
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/http_server.h"

namespace switchyard::net::internal {

class RequestParser final : public boost::beast::http::basic_parser<true> {
 public:
  explicit RequestParser(HttpRequest& request) : request_(request) {}

  bool expects_continue() const { return expects_continue_; }
  bool is_version_1_1() const { return version_ >= 11; }

 private:
  using error_code = boost::beast::error_code;
  using View = boost::beast::string_view;
  static std::string_view Std(View text) { return {text.data(), text.size()}; }

  void on_request_impl(boost::beast::http::verb, View method, View target, int version,
                       error_code&) override {
    request_.method = Std(method);
    request_.target = Std(target);
    version_ = version;
  }
  void on_response_impl(int, View, int, error_code&) override {}
  void on_field_impl(boost::beast::http::field field, View name, View value, error_code&) override {
    if (field == boost::beast::http::field::expect) expects_continue_ = true;
    if (request_.headers.empty()) request_.headers.reserve(16);
    request_.headers.emplace_back(Std(name), Std(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(View body, error_code&) override { return Append(body); }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    return Append(body);
  }
  void on_finish_impl(error_code&) override {}

  std::size_t Append(View body) {
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  HttpRequest& request_;
  int version_ = 11;
  bool expects_continue_ = false;
};

}  // namespace switchyard::net::internal
