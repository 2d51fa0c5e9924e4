// Header fields of requests and answers, in their order. Names are equal in any case.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace switchyard::net {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

bool EqualIgnoringCase(std::string_view a, std::string_view b);

// The first of this name; empty if there is none.
std::string_view FindHeader(const HttpHeaders& headers, std::string_view name);

// Whether it can stand in a head: no line end, no other control character.
bool IsHeaderText(std::string_view text);

}  // namespace switchyard::net
