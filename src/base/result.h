// Errors are values. Result<T> is either a T or an Error that says what happened, where, and what to do about it.
// A thin class of our own, because libstdc++ 12's std::expected has no and_then and lets a dropped error compile.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace entente {

// What the caller can do about it, not which part of the program failed.
enum class ErrorKind {
  kInvalid,          // the input is wrong: correct it
  kUnauthenticated,  // who asks is not known: log in
  kDenied,           // who asks may not: ask for the right
  kNotFound,         // there is no such thing
  kConflict,         // contradicts what is already there
  kTooLarge,         // over a limit: send less
  kUnsupported,      // legal, but not built here
  kUnavailable,      // not now: try again (connection, time-out, busy, cancelled)
  kCorrupt,          // stored data is damaged: restore it
  kIo,               // the operating system refused
  kInternal,         // a bug of ours: report it
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string what;    // "unknown field \"tlp_celing\""
  std::string where;   // file, JSON pointer, address, line:column; may be empty
  std::string remedy;  // what to do; may be empty

  // "WHAT (WHERE): WHAT TO DO", without the parts that are empty.
  [[nodiscard]] std::string text() const;

  // The same error, seen from further out: `outer` is put before `where`.
  [[nodiscard]] Error at(std::string outer) const;
};

[[nodiscard]] Error invalid(std::string what, std::string where = {}, std::string remedy = {});
[[nodiscard]] Error make_error(ErrorKind kind, std::string what, std::string where = {}, std::string remedy = {});

// The two tables every edge uses: HTTP status, and exit status (1 = no, 2 = could not run).
[[nodiscard]] int http_status(ErrorKind kind);
[[nodiscard]] int exit_status(ErrorKind kind);
[[nodiscard]] const char* name(ErrorKind kind);

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return v_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Requires: ok().
  T& value() & {
    assert(ok());
    return std::get<0>(v_);
  }
  const T& value() const& {
    assert(ok());
    return std::get<0>(v_);
  }
  T&& value() && {
    assert(ok());
    return std::move(std::get<0>(v_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !ok().
  const Error& error() const& {
    assert(!ok());
    return std::get<1>(v_);
  }
  Error&& error() && {
    assert(!ok());
    return std::move(std::get<1>(v_));
  }

  T value_or(T fallback) && { return ok() ? std::move(std::get<0>(v_)) : std::move(fallback); }

 private:
  std::variant<T, Error> v_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    assert(!ok());
    return *error_;
  }
  Error&& error() && {
    assert(!ok());
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace entente

#define ENTENTE_CAT2(a, b) a##b
#define ENTENTE_CAT(a, b) ENTENTE_CAT2(a, b)
// TRY(auto x, f()): x is f's value, or the enclosing function returns f's error. CHECK_OK(f()): the same without a
// value.
#define TRY(decl, ...) ENTENTE_TRY(ENTENTE_CAT(entente_try_, __LINE__), decl, __VA_ARGS__)
#define ENTENTE_TRY(tmp, decl, ...)             \
  auto tmp = (__VA_ARGS__);                     \
  if (!tmp.ok()) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
#define CHECK_OK(...)                                                                         \
  do {                                                                                        \
    if (auto entente_r = (__VA_ARGS__); !entente_r.ok()) return std::move(entente_r).error(); \
  } while (false)
