#include "net/internal/coding.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"

namespace entente::net::internal {
namespace {

constexpr size_t kLeast = 1024;  // below it a packet is a packet
constexpr int kGzipLevel = 2;
constexpr int kZstdLevel = 1;
constexpr size_t kRoom = 64 * 1024;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Thousandths; -1 if it is no weight (RFC 9110 §12.4.2).
int weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return -1;
  int out = (text[0] - '0') * 1000;
  if (text.size() == 1) return out;
  if (text[1] != '.') return -1;
  int unit = 100;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return -1;
    out += (c - '0') * unit;
    unit /= 10;
  }
  return out <= 1000 ? out : -1;
}

}  // namespace

Coding wanted_coding(const Headers& headers) {
  int gzip = -1;
  int zstd = -1;
  int any = -1;
  int identity = -1;
  for (const auto& [name, value] : headers) {
    if (ascii_lower(name) != "accept-encoding") continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view item = trimmed(rest.substr(0, comma));
      rest = comma == rest.npos ? std::string_view{} : rest.substr(comma + 1);
      const size_t semicolon = item.find(';');
      const std::string coding = ascii_lower(trimmed(item.substr(0, semicolon)));
      int q = 1000;
      if (semicolon != item.npos) {
        const std::string parameter = ascii_lower(trimmed(item.substr(semicolon + 1)));
        const size_t equals = parameter.find('=');
        if (equals == parameter.npos || trimmed(parameter.substr(0, equals)) != "q") continue;
        q = weight(trimmed(std::string_view(parameter).substr(equals + 1)));
        if (q < 0) continue;
      }
      if (coding == "gzip" || coding == "x-gzip") gzip = q;
      if (coding == "zstd") zstd = q;
      if (coding == "*") any = q;
      if (coding == "identity") identity = q;
    }
  }
  // "*" stands for what is not named, and does not make us guess that a client knows zstd.
  if (gzip < 0) gzip = any;
  const int best = std::max(gzip, zstd);
  if (best <= 0 || identity > best) return Coding::kIdentity;
  return zstd == best ? Coding::kZstd : Coding::kGzip;
}

std::string_view coding_name(Coding coding) {
  switch (coding) {
    case Coding::kGzip:
      return "gzip";
    case Coding::kZstd:
      return "zstd";
    default:
      return "identity";
  }
}

bool has_content_coding(const Headers& headers) {
  return std::ranges::any_of(headers, [](const auto& h) {
    return ascii_lower(h.first) == "content-encoding" && ascii_lower(trimmed(h.second)) != "identity";
  });
}

bool worth_coding(const Response& response) {
  return response.compressible && response.status == 200 && (response.rest || response.body.size() >= kLeast) &&
         response.header("Content-Encoding").empty();
}

void add_vary(Response& response) {
  if (response.compressible) response.headers.emplace_back("Vary", "Accept-Encoding");
}

struct Encoder::State {
  Coding coding = Coding::kIdentity;
  z_stream gzip{};
  ZSTD_CCtx* zstd = nullptr;
  bool ok = false;
  std::string out;
};

Encoder::Encoder(Coding coding) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.coding = coding;
  if (coding == Coding::kGzip) {
    constexpr int kGzipWindow = 15 + 16;  // zlib's way to ask for gzip's frame
    s.ok = deflateInit2(&s.gzip, kGzipLevel, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  } else if (coding == Coding::kZstd) {
    s.zstd = ZSTD_createCCtx();
    s.ok = s.zstd != nullptr &&
           ZSTD_isError(ZSTD_CCtx_setParameter(s.zstd, ZSTD_c_compressionLevel, kZstdLevel)) == 0 &&
           // RFC 9659: no window above 8 MiB in HTTP; 512 KiB is what a page fits in.
           ZSTD_isError(ZSTD_CCtx_setParameter(s.zstd, ZSTD_c_windowLog, 19)) == 0;
  }
}

Encoder::~Encoder() {
  if (state_->coding == Coding::kGzip) deflateEnd(&state_->gzip);
  ZSTD_freeCCtx(state_->zstd);
}

bool Encoder::add(std::string_view piece, bool last) {
  State& s = *state_;
  if (!s.ok) return false;
  if (s.coding == Coding::kGzip) {
    s.gzip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    s.gzip.avail_in = static_cast<uInt>(piece.size());
    for (;;) {
      const size_t had = s.out.size();
      s.out.resize(had + kRoom);
      s.gzip.next_out = reinterpret_cast<Bytef*>(s.out.data() + had);
      s.gzip.avail_out = kRoom;
      const int result = deflate(&s.gzip, last ? Z_FINISH : Z_NO_FLUSH);
      s.out.resize(had + kRoom - s.gzip.avail_out);
      if (result == Z_STREAM_END) return true;
      if (result != Z_OK && result != Z_BUF_ERROR) return s.ok = false;
      if (!last && s.gzip.avail_in == 0 && s.gzip.avail_out > 0) return true;
    }
  }
  ZSTD_inBuffer in{piece.data(), piece.size(), 0};
  for (;;) {
    const size_t had = s.out.size();
    s.out.resize(had + kRoom);
    ZSTD_outBuffer out{s.out.data() + had, kRoom, 0};
    const size_t left = ZSTD_compressStream2(s.zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
    s.out.resize(had + out.pos);
    if (ZSTD_isError(left) != 0) return s.ok = false;
    if (last ? left == 0 : in.pos == in.size) return true;
  }
}

std::string Encoder::take() { return std::exchange(state_->out, {}); }

void Encoder::finish(Response& response) {
  state_->out.shrink_to_fit();
  response.body = take();
  head_coded(response, state_->coding);
}

void head_coded(Response& response, Coding coding) {
  for (auto& [name, value] : response.headers) {
    if (ascii_lower(name) == "etag" && !value.starts_with("W/")) value.insert(0, "W/");
  }
  response.headers.emplace_back("Content-Encoding", coding_name(coding));
}

bool CoderPlaces::take() {
  if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
  give_back();
  return false;
}

void CoderPlaces::give_back() { free_.fetch_add(1, std::memory_order_relaxed); }

namespace {

class CodedSource final : public BodySource {
 public:
  // Requires: a place was taken.
  CodedSource(Coding coding, std::string front, std::shared_ptr<BodySource> inner, CoderPlaces& places)
      : encoder_(coding), piece_(std::move(front)), inner_(std::move(inner)), places_(places) {}
  CodedSource(const CodedSource&) = delete;
  CodedSource& operator=(const CodedSource&) = delete;
  ~CodedSource() override { places_.give_back(); }

  Result<bool> next(std::string& out) override {
    bool more = true;
    std::string coded;
    while (more && coded.empty()) {  // a coder may keep a piece and give nothing yet
      if (piece_.empty()) {
        TRY(more, inner_->next(piece_));
      }
      if (!encoder_.add(piece_, !more)) return make_error(ErrorKind::kInternal, "cannot code the answer");
      piece_.clear();
      coded = encoder_.take();
    }
    out += coded;
    return more;
  }

 private:
  Encoder encoder_;
  std::string piece_;
  std::shared_ptr<BodySource> inner_;
  CoderPlaces& places_;
};

}  // namespace

bool code_rest(Response& response, Coding coding, CoderPlaces& places) {
  if (!places.take()) return false;
  response.rest =
      std::make_shared<CodedSource>(coding, std::exchange(response.body, {}), std::move(response.rest), places);
  head_coded(response, coding);
  return true;
}

}  // namespace entente::net::internal
