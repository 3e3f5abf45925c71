// Content codings (RFC 9110 §8.4): which one a client wants, and answers coded piece by piece, so that a page does not
// hold an I/O thread for milliseconds.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http.h"

namespace entente::net::internal {

enum class Coding { kIdentity, kGzip, kZstd };

// By Accept-Encoding (RFC 9110 §12.5.3), all its fields together: the highest q, ours to choose among equals (zstd,
// then gzip). Without the field, and where nothing that we have is wanted, identity: a client that refuses even that
// gets it.
Coding wanted_coding(const Headers& headers);
std::string_view coding_name(Coding coding);
// Is there a Content-Encoding other than identity in a request? We take none: 415.
bool has_content_coding(const Headers& headers);

// Is an answer to be coded: marked so by its maker, long enough (or in pieces), a 200?
bool worth_coding(const Response& response);
// Says that the answer depends on Accept-Encoding; for every answer that would be coded for somebody.
void add_vary(Response& response);

class Encoder {
 public:
  explicit Encoder(Coding coding);  // Requires: not identity
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  ~Encoder();

  // Codes a piece; `last` ends the stream. False if the library failed (no memory): the answer goes out as it is.
  bool add(std::string_view piece, bool last);
  std::string take();  // what is ready of the coded text
  // The whole. Puts it into the response, headed as head_coded() says. Requires: all was added.
  void finish(Response& response);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Content-Encoding and, as the octets are others now, a weak ETag (RFC 9110 §8.8.1).
void head_coded(Response& response, Coding coding);

// Counts what is coded piece by piece at a time: a coder holds some hundred KiB for as long as its client reads.
class CoderPlaces {
 public:
  explicit CoderPlaces(size_t places) : free_(static_cast<int64_t>(places)) {}
  bool take();
  void give_back();

 private:
  std::atomic<int64_t> free_;
};
// Codes body and rest from now on piece by piece. False, and nothing has changed, if all places are taken or the
// library has no memory. Requires: `places` lives as long as the answer; a rest.
bool code_rest(Response& response, Coding coding, CoderPlaces& places);

}  // namespace entente::net::internal
