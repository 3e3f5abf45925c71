// key new|protect|show|custodian: where a person's signing key is kept.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "agreement/document.h"
#include "base/bytes.h"
#include "base/files.h"
#include "cli/internal/commands.h"
#include "cli/internal/signing.h"
#include "json/node.h"

namespace entente::cli {
namespace {

struct Options {
  std::string where, out;
  Secrets secrets;
  std::string salt, party_file;
  std::vector<std::string> kids;
  bool plain = false;
};

Result<int> print_key(Context& cx, const std::string& where, const PublicKey& key) {
  if (cx.json) {
    json::Node n = json::Node::object();
    n.set("key", where).set("public", key.to_hex());
    std::puts(json::write(n).c_str());
  } else {
    std::printf("%s\npublic key %s\n", where.c_str(), key.to_hex().c_str());
  }
  return 0;
}

Result<int> make(Context& cx, const Options& o) {
  if (o.where.starts_with("pkcs11:")) {
    TRY(const PublicKey key, make_token_key(o.where, o.secrets.ask()));
    return print_key(cx, o.where, key);
  }
  const SecretKey key = SecretKey::generate();
  if (o.plain) {
    CHECK_OK(key.save(o.where));
  } else {
    TRY(const std::string passphrase, o.secrets.ask()("new passphrase of " + o.where));
    CHECK_OK(save_encrypted(key, o.where, passphrase));
  }
  return print_key(cx, o.where, key.public_key());
}

Result<int> protect(Context& cx, const Options& o) {
  TRY(const SecretKey key, SecretKey::load(o.where));
  TRY(const std::string passphrase, o.secrets.ask()("new passphrase of " + o.out));
  CHECK_OK(save_encrypted(key, o.out, passphrase));
  if (!cx.json)
    std::fprintf(stderr, "%s is still there without a passphrase: remove it when the new file is kept safe\n",
                 o.where.c_str());
  return print_key(cx, o.out, key.public_key());
}

Result<int> show(Context& cx, const Options& o) {
  auto key = open_signing_key(o.where, o.secrets.ask());
  if (!key.ok()) return std::move(key).error();
  return print_key(cx, o.where, (*key)->public_key());
}

// The same person under the same salt gives the same hash: that is how two keys of one person are known for one,
// without the document naming anybody.
Result<int> custodian(Context& cx, const Options& o) {
  std::string salt = o.salt;
  if (salt.empty()) salt = hex(random_bytes(16));
  TRY(const std::string octets, unhex(salt));
  if (octets.size() < 16) return invalid("a salt has 16 octets or more", salt, "leave --salt out for a new one");
  std::string person;  // one way to write a name: case and blanks do not make another person
  for (const char c : o.where)
    if (c != ' ') person += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  const std::string hash = sha256_hex("entente/custodian/v1" + octets + person);
  if (!o.party_file.empty()) {
    PosixFiles files;
    TRY(const std::string text, files.read(o.party_file));
    auto doc = json::parse(text);
    if (!doc.ok()) return doc.error().at(o.party_file);
    json::Node block = json::Node::from(doc->root());
    TRY([[maybe_unused]] const auto party, agreement::party_from(block));
    size_t found = 0;
    for (json::Node& k : block.find("keys")->list())
      for (const auto& kid : o.kids)
        if (k.string_at("kid") == kid) {
          k.set("custodian", hash);
          ++found;
        }
    if (found != o.kids.size())
      return make_error(ErrorKind::kNotFound, "the party has no such key", o.party_file,
                        "its keys are listed there as kid");
    CHECK_OK(files.write_atomic(o.party_file, json::write_pretty(block) + "\n", 0644));
  }
  if (cx.json) {
    std::puts(json::write(json::Node::object().set("custodian", hash).set("salt", salt)).c_str());
  } else {
    std::printf("custodian %s\nsalt      %s  (keep it: the party's other custodians are hashed with the same one)\n",
                hash.c_str(), salt.c_str());
  }
  return 0;
}

}  // namespace

void add_key_commands(CLI::App& app, Context& cx) {
  auto* k = app.add_subcommand("key", "signing keys of persons: in a file under a passphrase, or on a token");
  k->require_subcommand(1);
  auto o = std::make_shared<Options>();
  auto* c = k->add_subcommand("new", "make an Ed25519 key; prints its public key");
  c->add_option("WHERE", o->where, "a new file, or pkcs11:token=…;object=…?module-path=…")->required();
  c->add_flag("--plain", o->plain, "a file without a passphrase");
  o->secrets.add_options(*c);
  c->callback([&cx, o] { finish(cx, make(cx, *o)); });
  c = k->add_subcommand("protect", "write a key that has no passphrase to a new file that has one");
  c->add_option("FILE", o->where, "the key")->required();
  c->add_option("OUT", o->out, "new file")->required();
  o->secrets.add_options(*c);
  c->callback([&cx, o] { finish(cx, protect(cx, *o)); });
  c = k->add_subcommand("show", "the public key of a file or token");
  c->add_option("WHERE", o->where, "file or pkcs11 URI")->required();
  o->secrets.add_options(*c);
  c->callback([&cx, o] { finish(cx, show(cx, *o)); });
  c = k->add_subcommand("custodian", "the salted hash of a person, by which two keys of one person are known for one");
  c->add_option("PERSON", o->where, "name, as the party keeps it in its own records")->required();
  c->add_option("--salt", o->salt, "the party's salt, hex (default: a new one)");
  auto* block = c->add_option("--party-file", o->party_file, "write it into this party block");
  c->add_option("--kid", o->kids, "for these keys")->needs(block);
  c->callback([&cx, o] { finish(cx, custodian(cx, *o)); });
}

}  // namespace entente::cli
