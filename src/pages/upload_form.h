// The upload form, `key` and `file` in either order, for the API and the page.
//
// UploadForm reads it, pure and synchronous: fed with the body as it comes, it
// hands out the file piece by piece and keeps the key. It judges as early as it
// can: a bad key is refused before a byte of the file has been read, if it
// comes first, as browsers and curl send it. A field sent twice is refused,
// since there is no telling which one was meant; fields of other names are
// skipped.
//
// receive_upload() is the whole of an upload: form, file, image store.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/task.h"
#include "http/multipart.h"
#include "http/router.h"
#include "images/store_client.h"

namespace imgcached::pages {

// What multipart adds to the file: its bound on top of that of the file.
inline constexpr std::uint64_t upload_form_overhead_bytes = 64 * 1024;

class UploadForm {
 public:
  enum class Event {
    need_more,  // all input is used up: call again with more, or finish()
    file_data,  // data() is the next piece of the file
    end,        // key and file are there, the file to its last byte
    error,      // error() tells why
  };
  // Which field an error is about.
  enum class Field { none, key, file };

  // REQUIRES: a boundary as http::boundary_of() returns it.
  explicit UploadForm(std::string_view boundary) : parser_(boundary) {}

  // Takes what it has dealt with off the front of `input`.
  Event next(std::string_view& input);
  // At the end of a body that did not come to Event::end: the error.
  Error finish();

  // Valid until the next call of next().
  std::string_view data() const { return parser_.data(); }
  // As far as it was read.
  const std::string& key() const { return key_; }
  // REQUIRES: next() returned Event::error.
  const Error& error() const { return *error_; }
  Field fault() const { return fault_; }

 private:
  Event fail(Field field, std::string message);
  Event judge_end();

  http::MultipartParser parser_;
  Field part_ = Field::none;  // the one that is being read
  std::string key_;
  bool has_key_ = false;
  bool has_file_ = false;
  std::optional<Error> error_;
  Field fault_ = Field::none;
};

struct Upload {
  std::string key;  // as far as it was read, whatever the result
  Result<images::Stored> stored = Error{Errc::internal, {}};
  UploadForm::Field fault = UploadForm::Field::none;
};

// Reads the form from the request and stores the image. After an error nothing
// is left of it. Errors: those of BodyReader, UploadForm and ImageStore::put().
Task<Upload> receive_upload(http::Request& request, images::StoreClient& store);

}  // namespace imgcached::pages
