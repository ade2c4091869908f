#include "pages/upload_form.h"

#include <utility>

#include "cache/key.h"

namespace imgcached::pages {
namespace {

constexpr const char* key_missing = "the field `key` is missing; send the key of the image in it";
constexpr const char* file_missing = "the field `file` is missing; send an image in it";

}  // namespace

UploadForm::Event UploadForm::fail(Field field, std::string message) {
  fault_ = field;
  error_ = Error{Errc::invalid_argument, std::move(message)};
  return Event::error;
}

UploadForm::Event UploadForm::next(std::string_view& input) {
  using PartEvent = http::MultipartParser::Event;
  while (!error_) {
    switch (parser_.next(input)) {
      case PartEvent::need_more: return Event::need_more;
      case PartEvent::part_begin:
        part_ = parser_.part().name == "key"    ? Field::key
                : parser_.part().name == "file" ? Field::file
                                                : Field::none;
        if (part_ == Field::key && std::exchange(has_key_, true)) {
          return fail(Field::key, "the field `key` was sent twice; send it once");
        }
        if (part_ == Field::file && std::exchange(has_file_, true)) {
          return fail(Field::file, "the field `file` was sent twice; send one image at a time");
        }
        break;
      case PartEvent::data:
        if (part_ == Field::file) return Event::file_data;
        // Of a key that is too long, enough to see that it is.
        if (part_ == Field::key) {
          key_ += parser_.data().substr(0, cache::key_bytes_max + 1 - key_.size());
        }
        break;
      case PartEvent::part_end:
        if (part_ == Field::key) {
          if (key_.size() > cache::key_bytes_max) {
            return fail(Field::key, "the key has more than " +
                                        std::to_string(cache::key_bytes_max) +
                                        " bytes; choose a shorter one");
          }
          Result<void> valid = cache::validate_key(key_);
          if (!valid) return fail(Field::key, std::move(valid).error().message);
        }
        part_ = Field::none;
        break;
      case PartEvent::end: return judge_end();
      case PartEvent::error: error_ = parser_.error(); return Event::error;
    }
  }
  return Event::error;
}

UploadForm::Event UploadForm::judge_end() {
  if (!has_key_ && !has_file_) {
    return fail(Field::key, "the fields `key` and `file` are missing; send both");
  }
  if (!has_key_) return fail(Field::key, key_missing);
  if (!has_file_) return fail(Field::file, file_missing);
  return Event::end;
}

Error UploadForm::finish() {
  Result<void> complete = parser_.finish();
  if (!complete) return std::move(complete).error();
  return {Errc::invalid_argument, "the body ended before the form was complete; send it again"};
}

namespace {

// Reads the body to its end, the form's file into `file`.
Task<Result<void>> read_form(http::Request& request, UploadForm& form, images::BlobWriter& file,
                             UploadForm::Field& fault) {
  bool is_complete = false;
  while (true) {
    Result<std::string_view> piece = co_await request.body->next();
    if (!piece) co_return std::move(piece).error();
    if (piece->empty() && is_complete) co_return Result<void>();
    if (piece->empty()) co_return form.finish();
    if (is_complete) continue;  // the body goes to its end, or the connection would have to
    std::string_view input = *piece;
    UploadForm::Event event = form.next(input);
    while (event == UploadForm::Event::file_data) {
      Result<void> written = co_await file.write(form.data());
      if (!written) {
        const Errc code = written.error().code;
        if (code == Errc::unsupported_type || code == Errc::too_large) {
          fault = UploadForm::Field::file;
        }
        co_return std::move(written).error();
      }
      event = form.next(input);
    }
    request.body->keep(file.buffered_bytes());
    request.body->hasten(file.pace_min());
    is_complete = event == UploadForm::Event::end;
    if (event == UploadForm::Event::error) {
      fault = form.fault();
      co_return form.error();
    }
  }
}

}  // namespace

Task<Upload> receive_upload(http::Request& request, images::StoreClient& store) {
  Upload upload;
  const auto content_type = request.head.headers.find("Content-Type");
  Result<std::string> boundary = http::boundary_of(content_type.value_or(std::string_view()));
  if (!boundary) {
    upload.stored = Error{Errc::invalid_argument,
                          "an upload is a form of type multipart/form-data with the fields `key` "
                          "and `file`: " +
                              boundary.error().message};
    co_return upload;
  }
  UploadForm form(*boundary);
  images::BlobWriter file = store.begin_upload();
  Result<void> read = co_await read_form(request, form, file, upload.fault);
  upload.key = form.key();
  if (!read) {
    co_await file.discard();
    upload.stored = std::move(read).error();
    co_return upload;
  }
  Result<images::Stored> stored = co_await store.put(upload.key, file, nullptr);
  // The key has been judged: what the client did wrong now is in the file.
  if (!stored && (stored.error().code == Errc::invalid_argument ||
                  stored.error().code == Errc::unsupported_type)) {
    upload.fault = UploadForm::Field::file;
  }
  upload.stored = std::move(stored);
  co_return upload;
}

}  // namespace imgcached::pages
