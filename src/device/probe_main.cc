// switchyard_probe PLUGIN: loads a chip plugin, asks it for its devices and writes them to standard
// output as internal/probe_message.h says. It exists so that a vendor's library may crash here.
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "device/chip.h"
#include "device/internal/probe_message.h"

namespace switchyard::device {
namespace {

base::Result<std::vector<sy_device_properties>> AskForDevices(const char* plugin) {
  SWITCHYARD_TRY(const Chip chip, Chip::Load(plugin));
  std::uint32_t count = 0;
  SWITCHYARD_RETURN_IF_ERROR(chip.Check(chip.api().device_count(&count), "counting devices"));
  if (count > internal::kMaxDevices) {
    return base::Fail(base::ErrorCode::kOutOfRange, "chip '{}' claims {} devices, more than {}",
                      chip.name(), count, internal::kMaxDevices);
  }
  std::vector<sy_device_properties> devices(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    devices[i].struct_size = sizeof(sy_device_properties);
    SWITCHYARD_RETURN_IF_ERROR(
        chip.Check(chip.api().device_properties(i, &devices[i]), "reading device properties"));
  }
  return devices;
}

bool WriteAll(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t written = ::write(fd, at, size);
    if (written <= 0) return false;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

int Main(const char* plugin) {
  // A plugin's library may print: what it prints goes to standard error, not into the message.
  const int out = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  const auto devices = AskForDevices(plugin);
  internal::ProbeHeader header;
  bool written = false;
  if (devices) {
    header.count = static_cast<std::uint32_t>(devices->size());
    written = WriteAll(out, &header, sizeof header) &&
              WriteAll(out, devices->data(), devices->size() * sizeof(sy_device_properties));
  } else {
    const std::string sentence = devices.error().message.substr(0, internal::kMaxSentence);
    header.failed = 1;
    header.count = static_cast<std::uint32_t>(sentence.size());
    written =
        WriteAll(out, &header, sizeof header) && WriteAll(out, sentence.data(), sentence.size());
  }
  std::fflush(nullptr);
  ::_exit(written ? 0 : 1);  // without the destructors of a vendor's library
}

}  // namespace
}  // namespace switchyard::device

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: switchyard_probe PLUGIN\n");
    return 2;
  }
  return switchyard::device::Main(argv[1]);
}
