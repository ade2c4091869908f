#include "pages/upload_form.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace imgcached::pages {
namespace {

struct Outcome {
  std::string key;
  std::string file;
  std::string error;  // empty: the form is complete
  UploadForm::Field fault = UploadForm::Field::none;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string part(const std::string& name, const std::string& content,
                 const std::string& more = "") {
  return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"" + more + "\r\n\r\n" +
         content + "\r\n";
}
const std::string the_end = "--b--\r\n";

Outcome read_pieces(const std::vector<std::string_view>& pieces) {
  UploadForm form("b");
  Outcome outcome;
  for (std::string_view piece : pieces) {
    while (true) {
      const UploadForm::Event event = form.next(piece);
      if (event == UploadForm::Event::need_more) break;
      if (event == UploadForm::Event::file_data) {
        outcome.file += form.data();
        continue;
      }
      outcome.key = form.key();
      outcome.fault = form.fault();
      if (event == UploadForm::Event::error) outcome.error = form.error().message;
      return outcome;
    }
  }
  outcome.key = form.key();
  outcome.error = form.finish().message;
  return outcome;
}

Outcome read(const std::string& body) { return read_pieces({body}); }

bool says(const Outcome& outcome, std::string_view text) {
  return outcome.error.find(text) != std::string::npos;
}

TEST_CASE("key and file are read in either order") {
  const std::string key = part("key", "cat");
  const std::string file = part("file", "bytes\r\n--of it", "; filename=\"a.png\"");
  const Outcome expected{"cat", "bytes\r\n--of it", "", UploadForm::Field::none};
  CHECK(read(key + file + the_end) == expected);
  CHECK(read(file + key + the_end) == expected);
}

TEST_CASE("a form reads the same wherever it is split") {
  const std::string body = part("other", "x") + part("file", "by\r\n--tes", "; filename=\"\"") +
                           part("key", "a/b \xf0\x9f\x98\x80") + the_end;
  const Outcome whole = read(body);
  REQUIRE(whole.error.empty());
  for (std::size_t at = 0; at <= body.size(); ++at) {
    CAPTURE(at);
    const std::string_view view = body;
    CHECK(read_pieces({view.substr(0, at), view.substr(at)}) == whole);
  }
}

TEST_CASE("a file part needs no file name and no type") {
  CHECK(read(part("key", "k") + part("file", "x") + the_end).file == "x");
}

TEST_CASE("fields of other names are skipped") {
  const Outcome outcome =
      read(part("csrf", "1") + part("key", "k") + part("file", "x") + part("submit", "") + the_end);
  CHECK(outcome == Outcome{"k", "x", "", UploadForm::Field::none});
}

TEST_CASE("a missing field is named") {
  const Outcome no_key = read(part("file", "x") + the_end);
  CHECK(says(no_key, "`key` is missing"));
  CHECK(no_key.fault == UploadForm::Field::key);
  const Outcome no_file = read(part("key", "k") + the_end);
  CHECK(says(no_file, "`file` is missing"));
  CHECK(no_file.fault == UploadForm::Field::file);
  CHECK(no_file.key == "k");
  CHECK(says(read(the_end), "`key` and `file` are missing"));
}

TEST_CASE("a field that was sent twice is refused, since one can't tell which is meant") {
  CHECK(says(read(part("key", "a") + part("key", "b") + part("file", "x") + the_end), "twice"));
  CHECK(says(read(part("key", "a") + part("file", "x") + part("file", "y") + the_end), "twice"));
}

TEST_CASE("a bad key is refused before the file is read") {
  for (const std::string& key : {std::string(), std::string("a\nb"), std::string("\xff"),
                                 std::string(256, 'k'), std::string(100'000, 'k')}) {
    CAPTURE(key.size());
    const Outcome outcome = read(part("key", key) + part("file", "x") + the_end);
    CHECK_FALSE(outcome.error.empty());
    CHECK(outcome.fault == UploadForm::Field::key);
    CHECK(outcome.file.empty());
    CHECK(outcome.key.size() <= 256);
  }
  CHECK(read(part("key", std::string(255, 'k')) + part("file", "x") + the_end).error.empty());
}

TEST_CASE("a body that is cut off anywhere is an error") {
  const std::string body = part("key", "k") + part("file", "x") + "--b--";
  for (std::size_t at = 0; at < body.size(); ++at) {
    CAPTURE(at);
    CHECK_FALSE(read(body.substr(0, at)).error.empty());
  }
  CHECK(read(body).error.empty());
}

TEST_CASE("broken multipart is an error that says so") {
  CHECK_FALSE(read("--b\r\nno header\r\n\r\nx\r\n--b--\r\n").error.empty());
}

}  // namespace
}  // namespace imgcached::pages
