#include "base/result.h"

namespace entente {

std::string Error::text() const {
  std::string out = what;
  if (!where.empty()) out += " (" + where + ")";
  if (!remedy.empty()) out += ": " + remedy;
  return out;
}

Error Error::at(std::string outer) const {
  Error e = *this;
  if (outer.empty()) return e;
  // A JSON pointer follows what it points into without a separator of its own.
  if (!e.where.empty()) outer += e.where.front() == '/' ? e.where : ": " + e.where;
  e.where = std::move(outer);
  return e;
}

Error invalid(std::string what, std::string where, std::string remedy) {
  return Error{ErrorKind::kInvalid, std::move(what), std::move(where), std::move(remedy)};
}

Error make_error(ErrorKind kind, std::string what, std::string where, std::string remedy) {
  return Error{kind, std::move(what), std::move(where), std::move(remedy)};
}

int http_status(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return 400;
    case ErrorKind::kUnauthenticated:
      return 401;
    case ErrorKind::kDenied:
      return 403;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kConflict:
      return 409;
    case ErrorKind::kTooLarge:
      return 413;
    case ErrorKind::kUnsupported:
      return 501;
    case ErrorKind::kUnavailable:
      return 503;
    case ErrorKind::kCorrupt:
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

int exit_status(ErrorKind kind) {
  switch (kind) {
    // The question was understood and the answer is no.
    case ErrorKind::kInvalid:
    case ErrorKind::kDenied:
    case ErrorKind::kConflict:
    case ErrorKind::kCorrupt:
      return 1;
    case ErrorKind::kUnauthenticated:
    case ErrorKind::kNotFound:
    case ErrorKind::kTooLarge:
    case ErrorKind::kUnsupported:
    case ErrorKind::kUnavailable:
    case ErrorKind::kIo:
    case ErrorKind::kInternal:
      return 2;
  }
  return 2;
}

const char* name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return "invalid";
    case ErrorKind::kUnauthenticated:
      return "unauthenticated";
    case ErrorKind::kDenied:
      return "denied";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kTooLarge:
      return "too_large";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kIo:
      return "io";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace entente
