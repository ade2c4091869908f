#include "http/status.h"

namespace imgcached::http {

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

int status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return 400;
    case Errc::not_found: return 404;
    case Errc::too_large: return 413;
    case Errc::unsupported_type: return 415;
    case Errc::precondition_failed: return 412;
    case Errc::unavailable: return 503;
    case Errc::uncertain: return 503;
    case Errc::storage_full: return 507;
    case Errc::storage_failed: return 503;
    case Errc::data_lost: return 500;
    case Errc::timed_out: return 408;
    case Errc::closed: return 400;
    case Errc::protocol: return 400;
    case Errc::internal: return 500;
  }
  return 500;
}

}  // namespace imgcached::http
