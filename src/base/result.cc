#include "base/result.h"

namespace imgcached {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::not_found: return "not_found";
    case Errc::too_large: return "too_large";
    case Errc::unsupported_type: return "unsupported_type";
    case Errc::precondition_failed: return "precondition_failed";
    case Errc::unavailable: return "unavailable";
    case Errc::uncertain: return "uncertain";
    case Errc::storage_full: return "storage_full";
    case Errc::storage_failed: return "storage_failed";
    case Errc::data_lost: return "data_lost";
    case Errc::timed_out: return "timed_out";
    case Errc::closed: return "closed";
    case Errc::protocol: return "protocol";
    case Errc::internal: return "internal";
  }
  return "unknown";
}

}  // namespace imgcached
