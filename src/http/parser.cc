#include "http/parser.h"

#include <llhttp.h>

#include <algorithm>

#include "http/url.h"
#include "http/white_space.h"

namespace imgcached::http {
namespace {

Method method_of(std::uint8_t method) {
  switch (method) {
    case HTTP_GET: return Method::get;
    case HTTP_HEAD: return Method::head;
    case HTTP_POST: return Method::post;
    case HTTP_PUT: return Method::put;
    case HTTP_DELETE: return Method::delete_;
    case HTTP_OPTIONS: return Method::options;
    default: return Method::other;
  }
}

// Whether the connection outlives the message, as far as its head says. (llhttp
// knows, but does not see a `close` with a tab behind it.)
bool asks_to_keep_alive(const MessageHead& head) {
  bool close = false;
  bool keep = head.version_minor >= 1;
  for (const auto& [name, value] : head.headers) {
    if (!equals_ignoring_case(name, "Connection")) continue;
    close = close || has_token(value, "close");
    keep = keep || has_token(value, "keep-alive");
  }
  return keep && !close;
}

// White space and control characters in a target, some of which llhttp takes; bytes
// that are not ASCII are a path that a client forgot to encode, and harm nobody.
bool is_sane_target(std::string_view target) {
  return std::none_of(target.begin(), target.end(),
                      [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; });
}

// What a plain chunk takes beside its data: up to twelve digits and two line ends.
constexpr std::uint64_t plain_chunk_bytes = 16;

// How much of a name, a value or a target may stay allocated between two messages.
constexpr std::size_t text_bytes_kept = 512;

// Which status a transfer coding other than just `chunked` deserves. Where chunked
// is not applied once and last, nobody can tell the end of the body (RFC 9112,
// section 6.3); else there is a coding that we do not know.
int status_of_coding(std::string_view codings) {
  std::size_t chunked = 0;
  std::string_view last;
  while (true) {
    const std::size_t comma = codings.find(',');
    last = trimmed(codings.substr(0, comma));
    if (last.empty()) return 400;
    if (equals_ignoring_case(last, "chunked")) ++chunked;
    if (comma == std::string_view::npos) break;
    codings.remove_prefix(comma + 1);
  }
  const bool is_framed = chunked == 1 && equals_ignoring_case(last, "chunked");
  return chunked == 0 || is_framed ? 501 : 400;
}

}  // namespace

struct Parser::State {
  llhttp_t llhttp;
  llhttp_settings_t settings;
  ParserLimits limits;
  Kind kind;
  Event event = Event::need_more;
  MessageHead head;
  std::string field_name;
  std::string field_value;
  std::string sane_host;  // the last one that was
  std::size_t head_bytes = 0;
  std::size_t field_count = 0;
  std::string_view body;
  std::uint64_t chunk_rest = 0;    // bytes of the current chunk that have not come yet
  std::string_view chunk_end_due;  // what must follow a chunk's data
  bool chunk_began = false;
  std::uint64_t chunks = 0;         // of this message
  std::uint64_t framing_bytes = 0;  // of its chunks: what is not data
  bool head_ended = false;          // what comes now are trailers
  char last_byte = 0;               // outside of bodies; 0 where a body was
  bool skip_body = false;
  bool failed = false;
  int error_status = 0;
  std::string error_message;

  static State& of(llhttp_t* llhttp) { return *static_cast<State*>(llhttp->data); }

  // Ends the parse with a status of our own choice.
  int refuse(int status, std::string message) {
    error_status = status;
    error_message = std::move(message);
    return HPE_USER;
  }

  int add_head_bytes(std::size_t count) {
    head_bytes += count;
    if (head_bytes <= limits.head_bytes_max) return 0;
    return refuse(431, "the header fields exceed " + std::to_string(limits.head_bytes_max) +
                           " bytes; send fewer or shorter ones");
  }

  void begin() {
    head.clear();
    field_name.clear();
    field_value.clear();
    head_bytes = 0;
    field_count = 0;
    head_ended = false;
    chunks = 0;
    framing_bytes = 0;
  }

  int end_field() {
    const auto has = [&](char c) { return field_name.find(c) != std::string::npos; };
    if (field_name.empty() || has(' ') || has('\t')) {
      return refuse(400, "malformed HTTP: a header field without a name, or a blank behind it");
    }
    if (++field_count > limits.headers_max) {
      return refuse(431, "more than " + std::to_string(limits.headers_max) + " header fields");
    }
    field_value.erase(field_value.find_last_not_of(" \t") + 1);  // llhttp strips the front only
    // A trailer comes too late to change what a request means.
    if (!head_ended) head.headers.add_parsed(field_name, field_value);
    field_name.clear();
    field_value.clear();
    return 0;
  }

  int end_head();
  int check_request();
  int check_coding();

  // llhttp takes a line feed alone for the end of a line, unfolds lines, and skips
  // the byte behind the CR of a chunk's size or of an empty line and the two bytes
  // behind a chunk's data without a look at them. Somebody on the way who does look
  // would see other messages than we do, so we look as well.
  bool are_lines_sane(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t size = std::min(bytes.find('\n'), bytes.size() - 1) + 1;
      const std::string_view line = bytes.substr(0, size);
      const bool is_whole = line.back() == '\n';
      if (last_byte == '\r' && line.front() != '\n') return false;
      if (last_byte == '\n' && (line.front() == ' ' || line.front() == '\t')) return false;
      if (is_whole && (size > 1 ? line[size - 2] : last_byte) != '\r') return false;
      const std::size_t cr = line.find('\r');
      if (cr != line.npos && cr + (is_whole ? 2 : 1) != size) return false;
      last_byte = line.back();
      bytes.remove_prefix(size);
    }
    return true;
  }
  // `used` is what llhttp made the present event of.
  bool is_framing_sane(std::string_view used) {
    if (event != Event::body) return are_lines_sane(used);
    const auto begin = static_cast<std::size_t>(body.data() - used.data());
    if (!are_lines_sane(used.substr(0, begin))) return false;
    last_byte = 0;
    return are_lines_sane(used.substr(begin + body.size()));
  }
  // llhttp skips the extensions of chunks, however long they are.
  bool is_framing_short(std::string_view used) {
    if (!head.chunked || !head_ended || event == Event::head) return true;
    framing_bytes += used.size() - (event == Event::body ? body.size() : 0);
    const std::uint64_t begun = chunk_began ? chunks : chunks + 1;
    return framing_bytes <= limits.chunk_excess_bytes_max + begun * plain_chunk_bytes;
  }
  bool is_chunk_end_sane(std::string_view input) {
    const std::string_view due = chunk_end_due.substr(0, input.size());
    chunk_end_due.remove_prefix(due.size());
    return input.starts_with(due);
  }

  Event fail(int status, std::string message) {
    failed = true;
    if (error_status == 0) refuse(status, std::move(message));
    return Event::error;
  }
};

int Parser::State::check_request() {
  if (!is_sane_target(head.target)) {
    return refuse(400, "malformed HTTP: white space or a control character in the target");
  }
  const std::size_t hosts = head.headers.count("Host");
  if (hosts > 1) return refuse(400, "more than one Host field");
  if (hosts == 0 && head.version_minor >= 1) return refuse(400, "HTTP/1.1 needs a Host field");
  if (hosts == 0) return 0;
  // The requests of a connection name the same one nearly always.
  const std::string_view host = *head.headers.find("Host");
  if (!host.empty() && host == sane_host) return 0;
  if (!split_authority(host)) {
    return refuse(400, "the Host field is not a host and an optional port");
  }
  sane_host = host;
  return 0;
}

int Parser::State::check_coding() {
  if (head.chunked && head.version_minor == 0) {
    return refuse(400, "HTTP/1.0 has no chunked transfer coding");
  }
  if (head.headers.count("Transfer-Encoding") > 1) {
    return refuse(400, "more than one Transfer-Encoding field");
  }
  const auto coding = head.headers.find("Transfer-Encoding");
  if (coding && !equals_ignoring_case(*coding, "chunked")) {
    return refuse(status_of_coding(*coding), "the only transfer coding we know is chunked");
  }
  // llhttp knows `chunked` only without a tab behind it.
  if (coding && !head.chunked) return refuse(400, "malformed HTTP: Transfer-Encoding");
  return 0;
}

int Parser::State::end_head() {
  head.version_minor = llhttp.http_minor;
  if (llhttp.http_major != 1 || llhttp.http_minor > 1) {
    return refuse(505, "we speak HTTP/1.1 and HTTP/1.0");
  }
  if (kind == Kind::request) {
    // Upgrades are not for us: the request is answered as if it asked for none.
    llhttp.upgrade = 0;
  } else {
    head.status = llhttp.status_code;
  }
  head.chunked = (llhttp.flags & F_CHUNKED) != 0;
  if ((llhttp.flags & F_CONTENT_LENGTH) != 0) head.content_length = llhttp.content_length;
  head.keep_alive = asks_to_keep_alive(head) && llhttp_message_needs_eof(&llhttp) == 0;
  if (kind == Kind::request) {
    if (const int refused = check_request()) return refused;
  }
  if (const int refused = check_coding()) return refused;
  head_ended = true;
  return 0;
}

Parser::Parser(Kind kind, ParserLimits limits) : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.kind = kind;
  state.limits = limits;
  llhttp_settings_init(&state.settings);
  state.settings.on_message_begin = [](llhttp_t* llhttp) {
    State::of(llhttp).begin();
    return 0;
  };
  state.settings.on_url = [](llhttp_t* llhttp, const char* at, std::size_t size) -> int {
    State& self = State::of(llhttp);
    self.head.target.append(at, size);
    self.head.method = method_of(llhttp->method);
    if (self.head.target.size() <= self.limits.target_bytes_max) return 0;
    return self.refuse(414, "the request target exceeds " +
                                std::to_string(self.limits.target_bytes_max) + " bytes");
  };
  state.settings.on_header_field = [](llhttp_t* llhttp, const char* at, std::size_t size) -> int {
    State::of(llhttp).field_name.append(at, size);
    return State::of(llhttp).add_head_bytes(size);
  };
  state.settings.on_header_value = [](llhttp_t* llhttp, const char* at, std::size_t size) -> int {
    State::of(llhttp).field_value.append(at, size);
    return State::of(llhttp).add_head_bytes(size);
  };
  state.settings.on_header_value_complete = [](llhttp_t* llhttp) {
    return State::of(llhttp).end_field();
  };
  state.settings.on_headers_complete = [](llhttp_t* llhttp) -> int {
    State& self = State::of(llhttp);
    if (const int refused = self.end_head()) return refused;
    self.event = Event::head;
    // These have no body whatever their fields say (RFC 9112, section 6.3).
    const int status = self.head.status;
    const bool bodiless =
        self.kind == Kind::response && (status / 100 == 1 || status == 204 || status == 304);
    // Pausing leaves no way to tell llhttp so, but its flag.
    if (self.skip_body || bodiless) llhttp->flags |= F_SKIPBODY;
    return HPE_PAUSED;
  };
  state.settings.on_chunk_header = [](llhttp_t* llhttp) -> int {
    State& self = State::of(llhttp);
    self.chunk_rest = llhttp->content_length;
    self.chunk_began = true;
    ++self.chunks;
    return HPE_PAUSED;
  };
  state.settings.on_body = [](llhttp_t* llhttp, const char* at, std::size_t size) -> int {
    if (size == 0) return 0;  // advance() was called without input
    State& self = State::of(llhttp);
    self.body = {at, size};
    self.event = Event::body;
    if (self.head.chunked && (self.chunk_rest -= size) == 0) self.chunk_end_due = "\r\n";
    return HPE_PAUSED;
  };
  state.settings.on_message_complete = [](llhttp_t* llhttp) -> int {
    State::of(llhttp).event = Event::end;
    return HPE_PAUSED;
  };
  llhttp_init(&state.llhttp, kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE, &state.settings);
  state.llhttp.data = &state;
  // The end of the connection is up to who reads our head(). llhttp would pass over
  // all that follows a `close`, even one in a trailer, and wait for more.
  llhttp_set_lenient_keep_alive(&state.llhttp, 1);
}

Parser::Parser(Parser&&) noexcept = default;
Parser& Parser::operator=(Parser&&) noexcept = default;
Parser::~Parser() = default;

Parser::Event Parser::advance(std::string_view& input) {
  State& state = *state_;
  if (state.failed) return Event::error;
  // llhttp takes null for "no span has begun": no input must lie somewhere, too.
  if (input.data() == nullptr) input = "";
  if (!state.is_chunk_end_sane(input)) {
    return state.fail(400, "malformed HTTP: no line end behind the data of a chunk");
  }
  while (true) {
    state.event = Event::need_more;
    state.chunk_began = false;
    const llhttp_errno_t status = llhttp_execute(&state.llhttp, input.data(), input.size());
    const bool failed = status != HPE_OK && status != HPE_PAUSED;
    const char* stopped_at = input.data() + input.size();
    if (status != HPE_OK) stopped_at = llhttp_get_error_pos(&state.llhttp);
    const std::string_view used =
        input.substr(0, static_cast<std::size_t>(stopped_at - input.data()));
    if (!state.is_framing_sane(used)) {
      state.error_status = 0;  // what llhttp found comes behind
      return state.fail(400, "malformed HTTP: a line has to end with CR LF, and is not folded");
    }
    if (failed) {
      const char* reason = llhttp_get_error_reason(&state.llhttp);
      int code = 400;
      if (status == HPE_INVALID_METHOD) code = 501;
      if (status == HPE_INVALID_VERSION || status == HPE_PAUSED_H2_UPGRADE) code = 505;
      return state.fail(code, std::string("malformed HTTP: ") + (reason ? reason : ""));
    }
    if (!state.is_framing_short(used)) {
      return state.fail(400, "the chunks of the body say more than the size of their data");
    }
    input.remove_prefix(used.size());
    if (status == HPE_OK) return state.event;
    llhttp_resume(&state.llhttp);
    if (!state.chunk_began) return state.event;
  }
}

Parser::Event Parser::finish() {
  State& state = *state_;
  if (state.failed) return Event::error;
  state.event = Event::need_more;
  const llhttp_errno_t status = llhttp_finish(&state.llhttp);
  if (status == HPE_OK || status == HPE_PAUSED) return state.event;
  return state.fail(400, "the connection ended in the middle of a message");
}

void Parser::expect_body(bool expected) { state_->skip_body = !expected; }

const MessageHead& Parser::head() const { return state_->head; }

void Parser::trim() {
  State& state = *state_;
  state.head.headers.trim();
  for (std::string* text :
       {&state.head.target, &state.field_name, &state.field_value, &state.sane_host}) {
    if (text->capacity() > text_bytes_kept) *text = std::string();
  }
}

std::string_view Parser::body() const { return state_->body; }
bool Parser::is_in_head() const { return !state_->head_ended; }
int Parser::error_status() const { return state_->error_status; }
const std::string& Parser::error_message() const { return state_->error_message; }

}  // namespace imgcached::http
