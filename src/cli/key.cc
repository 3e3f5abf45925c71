// key new|protect|show: where a person's signing key is kept.
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/internal/commands.h"
#include "cli/internal/signing.h"
#include "json/node.h"

namespace entente::cli {
namespace {

struct Options {
  std::string where, out;
  Secrets secrets;
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
}

}  // namespace entente::cli
