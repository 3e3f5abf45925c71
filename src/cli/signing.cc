#include "cli/internal/signing.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/files.h"

namespace entente::cli {
namespace {

using json::Node;

constexpr std::string_view kRequest = "entente-signing-request/1";

void strip_newline(std::string& s) {
  while (!s.empty() && (s.back() == '\n' || s.back() == '\r')) s.pop_back();
}

// From the terminal, without showing it.
Result<std::string> from_terminal(const std::string& what) {
  std::FILE* tty = std::fopen("/dev/tty", "r+");
  if (tty == nullptr)
    return invalid("a secret is needed and there is no terminal to ask on", what, "give --passphrase-file FILE");
  termios before{};
  const int fd = ::fileno(tty);
  const bool hides = ::tcgetattr(fd, &before) == 0;
  termios quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  if (hides) ::tcsetattr(fd, TCSAFLUSH, &quiet);
  std::fprintf(tty, "%s: ", what.c_str());
  std::fflush(tty);
  std::string out;
  for (int c = std::fgetc(tty); c != EOF && c != '\n'; c = std::fgetc(tty)) out += static_cast<char>(c);
  if (hides) ::tcsetattr(fd, TCSAFLUSH, &before);
  std::fputc('\n', tty);
  std::fclose(tty);
  return out;
}

bool valid_at(const agreement::KeyRecord& k, Time at) { return k.not_before <= at && at < k.not_after; }

const agreement::KeyRecord* record_of(const SigningRequest& r, const PublicKey& key) {
  const std::string text = key.to_hex();
  for (const auto& k : r.keys)
    if (k.public_hex == text) return &k;
  return nullptr;
}

bool signed_by(const SigningRequest& r, std::string_view kid) {
  return std::any_of(r.act.sigs.begin(), r.act.sigs.end(), [&](const auto& s) { return s.kid == kid; });
}

Status add_signature(SigningRequest& r, const agreement::KeyRecord& record, SigningKey& key) {
  TRY(agreement::Signature s, agreement::sign_act(r.act.act, record.kid, key));
  r.act.sigs.push_back(std::move(s));
  return {};
}

}  // namespace

void Secrets::add_options(CLI::App& command) {
  command.add_option("--passphrase-file", file, "passphrase or PIN of the keys (else ENTENTE_PASSPHRASE, else asked)");
}

AskSecret Secrets::ask() const {
  return [path = file](const std::string& what) -> Result<std::string> {
    if (!path.empty()) {
      PosixFiles files;
      TRY(std::string text, files.read(path));
      strip_newline(text);
      return text;
    }
    if (const char* text = std::getenv("ENTENTE_PASSPHRASE"); text != nullptr) return std::string(text);
    return from_terminal(what);
  };
}

std::string SigningRequest::text() const {
  Node n = Node::object();
  Node roles = Node::object();
  for (const auto& [role, count] : quorum) roles.set(role, count);
  Node list = Node::array();
  for (const auto& k : keys)
    list.push(Node::object()
                  .set("kid", k.kid)
                  .set("role", agreement::to_text(k.role))
                  .set("public", k.public_hex)
                  .set("not_before", to_text(k.not_before))
                  .set("not_after", to_text(k.not_after))
                  .set("custodian", k.custodian));
  n.set("request", kRequest).set("title", title).set("quorum", std::move(roles)).set("keys", std::move(list));
  n.set("signed_act", act.text());
  return json::write_pretty(n) + "\n";
}

Result<SigningRequest> SigningRequest::parse(std::string_view text, const std::string& where) {
  auto doc = json::parse(text);
  if (!doc.ok()) return doc.error().at(where);
  const Node n = Node::from(doc->root());
  const Error no =
      invalid("this is no signing request", where, "write one with 'entente agreement VERB … --export FILE'");
  if (n.string_at("request") != kRequest) return no;
  SigningRequest r;
  r.title = std::string(n.string_at("title"));
  auto act = agreement::parse_signed_act(n.string_at("signed_act"));
  if (!act.ok()) return act.error().at(where);
  r.act = std::move(*act);
  const Node* roles = n.find("quorum");
  const Node* keys = n.find("keys");
  if (roles == nullptr || !roles->is_object() || keys == nullptr || !keys->is_array()) return no;
  for (const auto& [role, count] : roles->members()) {
    if (!count.is_int() || count.integer() < 0 || count.integer() > 16) return no;
    r.quorum[role] = static_cast<int>(count.integer());
  }
  for (const Node& k : keys->list()) {
    agreement::KeyRecord record;
    record.kid = std::string(k.string_at("kid"));
    record.public_hex = std::string(k.string_at("public"));
    record.custodian = std::string(k.string_at("custodian"));
    for (const auto role : {agreement::KeyRole::kPlenipotentiary, agreement::KeyRole::kAuthority,
                            agreement::KeyRole::kNode, agreement::KeyRole::kLog, agreement::KeyRole::kWitness})
      if (k.string_at("role") == agreement::to_text(role)) record.role = role;
    TRY(record.not_before, parse_time(k.string_at("not_before")));
    TRY(record.not_after, parse_time(k.string_at("not_after")));
    r.keys.push_back(std::move(record));
  }
  return r;
}

Status sign_with(SigningRequest& r, const std::vector<std::string>& where, const AskSecret& ask) {
  for (const auto& place : where) {
    auto key = open_signing_key(place, ask);
    if (!key.ok()) return std::move(key).error();
    const auto* record = record_of(r, (*key)->public_key());
    if (record == nullptr)
      return make_error(ErrorKind::kDenied, "this key is not one of the party's keys in the agreement", place,
                        "its public key is " + (*key)->public_key().to_hex() +
                            "; 'entente agreement state' lists "
                            "those that count");
    if (signed_by(r, record->kid))
      return make_error(ErrorKind::kConflict, record->kid + " has signed this act already", place,
                        "a second signature takes a second person");
    CHECK_OK(add_signature(r, *record, **key));
  }
  return {};
}

Status sign_from_folder(SigningRequest& r, const std::string& folder, const AskSecret& ask) {
  std::error_code ec;
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ec))
    if (entry.path().extension() == ".pem") found.push_back(entry.path().string());
  std::sort(found.begin(), found.end());
  for (const auto& [role, count] : r.quorum) {
    int have = 0;
    std::set<std::string> persons;
    for (const auto& path : found) {
      if (have == count) break;
      if (!std::filesystem::path(path).filename().string().starts_with(role)) continue;
      auto key = open_signing_key(path, ask);
      if (!key.ok()) return std::move(key).error();
      const auto* record = record_of(r, (*key)->public_key());
      if (record == nullptr || agreement::to_text(record->role) != role || signed_by(r, record->kid) ||
          !valid_at(*record, r.act.act.effective_at) ||
          (!record->custodian.empty() && !persons.insert(record->custodian).second))
        continue;
      CHECK_OK(add_signature(r, *record, **key));
      ++have;
    }
    if (have < count)
      return make_error(ErrorKind::kDenied,
                        fmt::format("a {} needs {} key(s) of role {}, of different persons, and {} are here",
                                    r.act.act.kind, count, role, have),
                        folder,
                        "give --key, or let the others sign: --export FILE, then 'entente agreement countersign'");
  }
  return {};
}

std::vector<std::string> missing(const SigningRequest& r) {
  std::vector<std::string> out;
  for (const auto& [role, count] : r.quorum) {
    std::set<std::string> persons;
    for (const auto& s : r.act.sigs)
      for (const auto& k : r.keys)
        if (k.kid == s.kid && agreement::to_text(k.role) == role)
          persons.insert(k.custodian.empty() ? k.kid : k.custodian);
    if (static_cast<int>(persons.size()) < count)
      out.push_back(fmt::format("role {}: {} of {}", role, persons.size(), count));
  }
  return out;
}

}  // namespace entente::cli
