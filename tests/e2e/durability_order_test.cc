// The order of the steps of a durable upload, as the system saw them: by strace,
// which knows nothing of us. (crash_points_test.cc asserts the same order of its
// fault points; this holds them against an independent witness.)
//
// Where processes must not be traced, as in some containers, the test says so and
// leaves it to that other one.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/deployment.h"
#include "tests/e2e/store_checks.h"
#include "tests/e2e/test_images.h"

namespace imgcached::e2e {
namespace {

// What strace writes about a process, until that has ended.
class Trace {
 public:
  // The program is the tracer's parent (-D), so that signals and statuses are its own. Leaks can't
  // be looked for in a process that is traced.
  std::vector<std::string> launcher() const {
    return {
        "env",    "ASAN_OPTIONS=detect_leaks=0",
        "strace", "-D",
        "-f",     "-y",
        "-s",     "400",
        "-o",     path(),
        "-e",     "trace=openat,write,writev,fdatasync,fsync,syncfs,rename,unlink,sendto,mkdir"};
  }
  static bool is_permitted() {
    const ScratchDirectory scratch;
    const std::string errors = scratch.path() + "/errors";
    Process traced({"strace", "-D", "-o", "/dev/null", "true"}, errors);
    if (traced.wait() == 0 && std::ifstream(errors).peek() == EOF) return true;
    std::ostringstream reason;
    reason << std::ifstream(errors).rdbuf();
    MESSAGE("not tried, as strace can't trace here: " << reason.str());
    return false;
  }
  // REQUIRES: the process has ended.
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    eventually("strace has written all", [&] {
      lines.clear();
      std::ifstream file(path());
      for (std::string line; std::getline(file, line);) lines.push_back(line);
      return !lines.empty() && lines.back().find("+++ exited") != std::string::npos;
    });
    return lines;
  }

 private:
  std::string path() const { return directory_.path() + "/trace"; }

  ScratchDirectory directory_;
};

// The index of the first line from `begin` on that has all of the texts.
std::size_t find(const std::vector<std::string>& lines, std::size_t begin,
                 const std::vector<std::string>& texts) {
  for (std::size_t i = begin; i < lines.size(); ++i) {
    const auto has = [&](const std::string& text) { return lines[i].find(text) != text.npos; };
    if (std::all_of(texts.begin(), texts.end(), has)) return i;
  }
  FAIL_CHECK("nothing of the kind after line " << begin << ": " << texts.back());
  return lines.size();
}

// The lines of system calls in the order of their ends, each whole: another
// thread may have cut one in two.
std::vector<std::string> whole(const std::vector<std::string>& lines) {
  constexpr std::string_view cut = " <unfinished ...>";
  std::map<std::string, std::string> begun;  // by thread
  std::vector<std::string> joined;
  for (const std::string& line : lines) {
    const std::string thread = line.substr(0, line.find(' '));
    const std::size_t resumed = line.find(" resumed>");
    if (line.ends_with(cut)) {
      begun[thread] = line.substr(0, line.size() - cut.size());
    } else if (resumed != std::string::npos) {
      joined.push_back(begun[thread] + line.substr(resumed + std::string(" resumed>").size()));
    } else {
      joined.push_back(line);
    }
  }
  return joined;
}

std::string location_of(Deployment& it, const std::string& key) {
  return it.query("SELECT location FROM images WHERE `key` = '" + key + "'").at(0).at(0);
}

DEPLOYED_TEST_CASE("strace: file, name and directory are durable before the row, all before 2xx") {
  if (!Trace::is_permitted()) return;
  const Trace trace;
  std::string former;
  std::string location;
  std::string images;
  bool are_small_synced_together = false;
  {
    Deployment it(Where::kind, {.durability = "strict", .launcher = trace.launcher()});
    images = it.backend_server().images_directory();
    are_small_synced_together = are_synced_together(it.backend_server());
    CHECK(put(it.backend, "cat", png(20'000, 1)) == 201);
    former = location_of(it, "cat");
    CHECK(put(it.backend, "cat", png(200'000, 2)) == 200);
    location = location_of(it, "cat");
    CHECK(it.backend.request("DELETE", "/images/cat").status == 204);
  }
  const std::vector<std::string> lines = whole(trace.lines());
  std::size_t at = 0;
  const auto then = [&](const std::vector<std::string>& texts) { at = find(lines, at, texts) + 1; };
  // A directory that is new is durable in the one that it is in.
  then({"mkdir", images + "\""});
  then({"fsync", images.substr(0, images.rfind('/')) + ">", "= 0"});

  for (const std::string& image : {former, location}) {
    CAPTURE(image);
    const bool is_first = image == former;
    const std::string unfinished = images + "/tmp/" + image.substr(3);
    const std::string directory = images + "/" + image.substr(0, 2);
    then({"openat", unfinished, "O_EXCL"});
    then({"write", unfinished, "PNG"});
    const bool is_synced_together = is_first && are_small_synced_together;
    if (!is_synced_together) then({"fdatasync", unfinished, "= 0"});
    then({"rename", unfinished, images + "/" + image, "= 0"});
    if (is_synced_together) {
      then({"syncfs", images + ">", "= 0"});
    } else {
      then({"fsync", directory + ">", "= 0"});
    }
    then({"sendto", image});  // the statement: its parameters are sent as they are
    if (Where::kind == Deployment::Kind::two_processes) then({"write", "/invalidate_specific_key"});
    if (!is_first) then({"unlink", former, "= 0"});
    then({"write", is_first ? "HTTP/1.1 201" : "HTTP/1.1 200"});
  }
  then({"sendto", location});
  if (Where::kind == Deployment::Kind::two_processes) then({"write", "/invalidate_specific_key"});
  then({"unlink", location, "= 0"});
  then({"write", "HTTP/1.1 204"});
}

}  // namespace
}  // namespace imgcached::e2e
