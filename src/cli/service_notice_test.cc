#include "cli/service_notice.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <string>

#include "base/temporary_folder.h"

namespace switchyard::cli {
namespace {

Environment WithSocket(const std::string& path) {
  std::map<std::string, std::string, std::less<>> variables;
  if (!path.empty()) variables.emplace("NOTIFY_SOCKET", path);
  return Environment(std::move(variables));
}

TEST(ServiceNotice, IsToldWhereItListens) {
  const base::TemporaryFolder folder;
  const std::string path = folder.path() / "notify";
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(TellServiceManager(WithSocket(path), "READY=1"));
  char text[100] = "";
  EXPECT_EQ(::recv(socket, text, sizeof text, MSG_DONTWAIT), 7);
  EXPECT_STREQ(text, "READY=1");
  ::close(socket);
}

TEST(ServiceNotice, NobodyIsToldWhereThereIsNone) {
  EXPECT_FALSE(TellServiceManager(WithSocket(""), "READY=1"));
  EXPECT_FALSE(TellServiceManager(WithSocket("/nowhere/x"), "READY=1"));
  EXPECT_FALSE(TellServiceManager(WithSocket(std::string(300, 'x')), "READY=1"));
}

}  // namespace
}  // namespace switchyard::cli
