#include "base/internal/pkcs11.h"

#include <array>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <p11-kit/pkcs11.h>

#include "base/bytes.h"
#include "base/files.h"

namespace entente::internal {
namespace {

// The curve by its object identifier 1.3.101.112 (RFC 8410), in DER. Also as the name that some tokens want.
constexpr std::string_view kByOid{"\x06\x03\x2b\x65\x70", 5};
constexpr std::string_view kByName{
    "\x13\x0c"
    "edwards25519",
    14};

Error failed(const char* what, CK_RV rv, const TokenUri& uri) {
  const std::string where = uri.token + "/" + uri.object;
  if (rv == CKR_PIN_INCORRECT)
    return make_error(ErrorKind::kDenied, "the token refuses this PIN", where,
                      "give the right one; tokens lock themselves after a few wrong ones");
  if (rv == CKR_PIN_LOCKED)
    return make_error(ErrorKind::kDenied, "the token has locked itself", where, "unlock it with its security officer");
  if (rv == CKR_MECHANISM_INVALID)
    return make_error(ErrorKind::kUnsupported, "the token has no EdDSA", where, "use a token that signs with Ed25519");
  return make_error(ErrorKind::kIo, fmt::format("{} failed on the token: PKCS #11 code 0x{:x}", what, rv), where);
}

std::string trimmed(const unsigned char* text, size_t size) {
  std::string out(reinterpret_cast<const char*>(text), size);
  while (!out.empty() && (out.back() == ' ' || out.back() == '\0')) out.pop_back();
  return out;
}

CK_ATTRIBUTE attribute(CK_ATTRIBUTE_TYPE type, const void* value, size_t size) {
  return {type, const_cast<void*>(value), size};  // the interface is C; nothing is written through it
}

// A module loaded and a session on the token; ends both.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    if (f_ != nullptr && open_) f_->C_CloseSession(session_);
    if (f_ != nullptr && initialized_) f_->C_Finalize(nullptr);
    if (module_ != nullptr) ::dlclose(module_);
  }

  Status open(const TokenUri& uri, bool write, const AskSecret& ask) {
    CHECK_OK(load(uri));
    CK_ULONG n = 0;
    if (const CK_RV rv = f_->C_GetSlotList(1, nullptr, &n); rv != CKR_OK) return failed("listing tokens", rv, uri);
    std::vector<CK_SLOT_ID> slots(n);
    if (const CK_RV rv = f_->C_GetSlotList(1, slots.data(), &n); rv != CKR_OK) return failed("listing tokens", rv, uri);
    slots.resize(n);
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (f_->C_GetTokenInfo(slot, &info) != CKR_OK || trimmed(info.label, sizeof info.label) != uri.token) continue;
      const CK_FLAGS flags = CKF_SERIAL_SESSION | (write ? CKF_RW_SESSION : 0);
      if (const CK_RV rv = f_->C_OpenSession(slot, flags, nullptr, nullptr, &session_); rv != CKR_OK)
        return failed("opening a session", rv, uri);
      open_ = true;
      return log_in(uri, ask);
    }
    return make_error(ErrorKind::kNotFound, "there is no such token", uri.token,
                      "is it plugged in? the token's label stands after token= in the URI");
  }

  // The object of this class and the URI's name; 0 if there is none.
  Result<CK_OBJECT_HANDLE> find(const TokenUri& uri, CK_OBJECT_CLASS kind) {
    const std::array<CK_ATTRIBUTE, 2> wanted{attribute(CKA_CLASS, &kind, sizeof kind),
                                             attribute(CKA_LABEL, uri.object.data(), uri.object.size())};
    auto copy = wanted;
    if (const CK_RV rv = f_->C_FindObjectsInit(session_, copy.data(), copy.size()); rv != CKR_OK)
      return failed("looking for the key", rv, uri);
    std::array<CK_OBJECT_HANDLE, 2> found{};
    CK_ULONG n = 0;
    const CK_RV rv = f_->C_FindObjects(session_, found.data(), found.size(), &n);
    f_->C_FindObjectsFinal(session_);
    if (rv != CKR_OK) return failed("looking for the key", rv, uri);
    if (n > 1)
      return make_error(ErrorKind::kConflict, "the token has two keys of this name", uri.token + "/" + uri.object,
                        "rename one of them");
    return n == 0 ? CK_OBJECT_HANDLE{0} : found[0];
  }

  Result<PublicKey> public_key(const TokenUri& uri, CK_OBJECT_HANDLE object) {
    std::array<unsigned char, 256> point{};
    CK_ATTRIBUTE a{CKA_EC_POINT, point.data(), point.size()};
    if (const CK_RV rv = f_->C_GetAttributeValue(session_, object, &a, 1); rv != CKR_OK)
      return failed("reading the public key", rv, uri);
    std::string_view raw(reinterpret_cast<const char*>(point.data()), a.ulValueLen);
    if (raw.size() == 34 && raw.starts_with("\x04\x20")) raw.remove_prefix(2);  // a DER OCTET STRING, as most give it
    if (raw.size() != 32)
      return make_error(ErrorKind::kUnsupported, "the key on the token is no Ed25519 key",
                        uri.token + "/" + uri.object);
    return PublicKey::from_hex(hex(raw));
  }

  Result<std::string> sign(const TokenUri& uri, CK_OBJECT_HANDLE key, std::string_view message) {
    CK_MECHANISM how{CKM_EDDSA, nullptr, 0};
    if (const CK_RV rv = f_->C_SignInit(session_, &how, key); rv != CKR_OK) return failed("signing", rv, uri);
    std::string text(message);
    std::array<unsigned char, 128> out{};
    CK_ULONG n = out.size();
    const CK_RV rv = f_->C_Sign(session_, reinterpret_cast<unsigned char*>(text.data()), text.size(), out.data(), &n);
    if (rv != CKR_OK) return failed("signing", rv, uri);
    return std::string(reinterpret_cast<const char*>(out.data()), n);
  }

  Status generate(const TokenUri& uri) {
    CK_RV rv = CKR_OK;
    for (const std::string_view curve : {kByOid, kByName}) {
      CK_MECHANISM how{CKM_EC_EDWARDS_KEY_PAIR_GEN, nullptr, 0};
      const CK_BBOOL yes = 1;
      const CK_BBOOL no = 0;
      const auto name = [&] { return attribute(CKA_LABEL, uri.object.data(), uri.object.size()); };
      std::array<CK_ATTRIBUTE, 4> pub{attribute(CKA_TOKEN, &yes, 1), name(), attribute(CKA_VERIFY, &yes, 1),
                                      attribute(CKA_EC_PARAMS, curve.data(), curve.size())};
      std::array<CK_ATTRIBUTE, 6> priv{attribute(CKA_TOKEN, &yes, 1),     name(),
                                       attribute(CKA_SIGN, &yes, 1),      attribute(CKA_PRIVATE, &yes, 1),
                                       attribute(CKA_SENSITIVE, &yes, 1), attribute(CKA_EXTRACTABLE, &no, 1)};
      CK_OBJECT_HANDLE a = 0;
      CK_OBJECT_HANDLE b = 0;
      rv = f_->C_GenerateKeyPair(session_, &how, pub.data(), pub.size(), priv.data(), priv.size(), &a, &b);
      if (rv == CKR_OK) return {};
    }
    return failed("making a key", rv, uri);
  }

 private:
  Status load(const TokenUri& uri) {
    module_ = ::dlopen(uri.module_path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module_ == nullptr) {
      const char* why = ::dlerror();
      return make_error(ErrorKind::kIo,
                        fmt::format("the PKCS #11 module cannot be loaded: {}", why == nullptr ? "" : why),
                        uri.module_path, "give the token's module after module-path= in the URI");
    }
    void* symbol = ::dlsym(module_, "C_GetFunctionList");
    if (symbol == nullptr)
      return make_error(ErrorKind::kInvalid, "this library is no PKCS #11 module", uri.module_path);
    const auto list = reinterpret_cast<CK_C_GetFunctionList>(symbol);
    if (const CK_RV rv = list(&f_); rv != CKR_OK || f_ == nullptr) return failed("starting the module", rv, uri);
    const CK_RV rv = f_->C_Initialize(nullptr);
    initialized_ = rv == CKR_OK;
    if (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) return failed("starting the module", rv, uri);
    return {};
  }

  Status log_in(const TokenUri& uri, const AskSecret& ask) {
    std::string pin;
    if (!uri.pin_file.empty()) {
      PosixFiles files;
      TRY(pin, files.read(uri.pin_file));
      while (!pin.empty() && (pin.back() == '\n' || pin.back() == '\r')) pin.pop_back();
    } else {
      TRY(pin, ask("PIN of token " + uri.token));
    }
    const CK_RV rv = f_->C_Login(session_, CKU_USER, reinterpret_cast<unsigned char*>(pin.data()), pin.size());
    OPENSSL_cleanse(pin.data(), pin.size());
    if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) return failed("logging in", rv, uri);
    return {};
  }

  void* module_ = nullptr;
  CK_FUNCTION_LIST_PTR f_ = nullptr;
  CK_SESSION_HANDLE session_ = 0;
  bool open_ = false, initialized_ = false;
};

class TokenKey final : public SigningKey {
 public:
  explicit TokenKey(TokenUri uri) : uri_(std::move(uri)) {}
  Status open(const AskSecret& ask) {
    CHECK_OK(session_.open(uri_, false, ask));
    TRY(key_, session_.find(uri_, CKO_PRIVATE_KEY));
    TRY(const CK_OBJECT_HANDLE pub, session_.find(uri_, CKO_PUBLIC_KEY));
    if (key_ == 0 || pub == 0)
      return make_error(ErrorKind::kNotFound, "the token has no such key pair", uri_.token + "/" + uri_.object,
                        "make one with 'entente key new'");
    TRY(public_, session_.public_key(uri_, pub));
    return {};
  }
  [[nodiscard]] const PublicKey& public_key() const override { return public_; }
  [[nodiscard]] Result<std::string> sign(std::string_view message) override {
    TRY(std::string s, session_.sign(uri_, key_, message));
    if (!verify(public_, message, s))
      return make_error(ErrorKind::kCorrupt, "the token gave a signature that does not verify",
                        uri_.token + "/" + uri_.object, "do not use this token");
    return s;
  }

 private:
  TokenUri uri_;
  Session session_;
  CK_OBJECT_HANDLE key_ = 0;
  PublicKey public_;
};

std::string unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      if (const auto byte = unhex(text.substr(i + 1, 2)); byte.ok()) {
        out += *byte;
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace

Result<TokenUri> parse_token_uri(const std::string& uri) {
  constexpr std::string_view kScheme = "pkcs11:";
  const std::string_view example = "pkcs11:token=LABEL;object=KEY?module-path=/usr/lib/softhsm/libsofthsm2.so";
  TokenUri out;
  std::string_view rest = std::string_view(uri).substr(kScheme.size());
  while (!rest.empty()) {
    const size_t end = rest.find_first_of(";?&");
    const std::string_view part = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    const size_t equals = part.find('=');
    const std::string_view name = part.substr(0, equals);
    const std::string value = equals == std::string_view::npos ? "" : unescaped(part.substr(equals + 1));
    if (name == "token")
      out.token = value;
    else if (name == "object")
      out.object = value;
    else if (name == "module-path")
      out.module_path = value;
    else if (name == "pin-source")
      out.pin_file = value.starts_with("file:") ? value.substr(5) : value;
    else if (name == "pin-value")
      return invalid("a PIN does not stand in a URI, where others can read it", "pin-value", "use pin-source=FILE");
    else if (name != "type")
      return invalid("this attribute of a token URI is not used here", printable(name), std::string(example));
  }
  if (out.token.empty() || out.object.empty() || out.module_path.empty())
    return invalid("a token URI names token, object and module-path", "pkcs11:", std::string(example));
  return out;
}

Result<std::unique_ptr<SigningKey>> open_token_key(const TokenUri& uri, const AskSecret& ask) {
  auto key = std::make_unique<TokenKey>(uri);
  CHECK_OK(key->open(ask));
  return std::unique_ptr<SigningKey>(std::move(key));
}

Result<PublicKey> generate_token_key(const TokenUri& uri, const AskSecret& ask) {
  Session session;
  CHECK_OK(session.open(uri, true, ask));
  for (const CK_OBJECT_CLASS kind : {CK_OBJECT_CLASS{CKO_PRIVATE_KEY}, CK_OBJECT_CLASS{CKO_PUBLIC_KEY}}) {
    TRY(const CK_OBJECT_HANDLE have, session.find(uri, kind));
    if (have != 0)
      return make_error(ErrorKind::kConflict, "the token has a key of this name already", uri.token + "/" + uri.object,
                        "keys are never overwritten: choose another name");
  }
  CHECK_OK(session.generate(uri));
  TRY(const CK_OBJECT_HANDLE pub, session.find(uri, CKO_PUBLIC_KEY));
  return session.public_key(uri, pub);
}

}  // namespace entente::internal
