// Text from chips and machines as a certificate may hold it. Who compares a present value with a
// certificate's must pass it through here first, as the certificate's was. Pure.
#pragma once

#include <string>
#include <string_view>

namespace switchyard::certify {

// `text` as UTF-8 that every reader of JSON and XML takes: broken sequences, characters that XML
// forbids, control characters but for tab and line feed, and those that reverse the direction of
// what follows become U+FFFD.
std::string PlainText(std::string_view text);

}  // namespace switchyard::certify
