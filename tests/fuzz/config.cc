// The file of --config: any file is taken, or refused in one line that names it.
#include "config.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "tests/fuzz/property.h"

namespace imgcached::fuzz {
namespace {

// A file in memory, which has a name while this lives.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view contents) : descriptor_(::memfd_create("config", 0)) {
    require(descriptor_ >= 0 && ::write(descriptor_, contents.data(), contents.size()) ==
                                    static_cast<ssize_t>(contents.size()),
            "a file can be written");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

void check_config(std::string_view contents) {
  const MemoryFile file(contents);
  const std::string path = file.path();
  const char* const arguments[] = {"imgcached", "--config", path.c_str()};
  const ParsedConfig parsed = parse_config(3, arguments);
  if (parsed.config) {
    require(parsed.message.empty() && parsed.exit_status == 0, "a good file has no error");
    require(parsed.config->max_upload_bytes >= 1 && !parsed.config->images.empty(),
            "what is taken can be used");
    return;
  }
  require(parsed.exit_status == 2, "a bad setting ends the program with status 2");
  require(parsed.message.starts_with("imgcached: ") &&
              parsed.message.find('\n') == parsed.message.size() - 1,
          "an error is one line");
}

}  // namespace
}  // namespace imgcached::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  imgcached::fuzz::check_config(imgcached::fuzz::text_of(data, size));
  return 0;
}
