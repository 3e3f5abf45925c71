// What must never be blocked: national allow-lists, warning lists, and ourselves. Names protect everything below them;
// ranges are compared with overlap both ways (a wider block would cover a protected address, a narrower one lies inside
// a protected range).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "enforce/target.h"

namespace entente::enforce {

class ProtectedList {
 public:
  ProtectedList();  // with what no list has to say: loopback, link-local, multicast, unspecified, broadcast

  struct Loaded {
    size_t entries = 0;
    size_t skipped = 0;  // entries that are neither address, range nor name (patterns, mail addresses, hashes)
  };
  // `list` is the name shown in verdicts. Each line: address, range, name or *.name; '#' begins a comment.
  Result<Loaded> add_plain(std::string_view text, const std::string& list);
  // MISP warning list: {"name","type":"cidr|hostname|string|substring|regex","list":[…]}.
  Result<Loaded> add_warninglist(std::string_view json, const std::string& fallback_name);
  // Either of them, by content. Errors name the file.
  Result<Loaded> add_file(Files& files, const std::string& path);
  // One entry; `self` marks what belongs to this sensor (own address, gateway, resolver, node, partner).
  void add_prefix(const Prefix& prefix, const std::string& list, bool self = false);
  void add_name(std::string_view name, const std::string& list, bool self = false);

  struct Match {
    std::string entry;  // "198.51.100.0/24", "example.org"
    std::string list;
    bool self = false;
  };
  [[nodiscard]] std::optional<Match> find(const Prefix& prefix) const;
  // `tree`: the block would cover everything below the name too, so protected names below it count.
  [[nodiscard]] std::optional<Match> find_name(std::string_view name, bool tree) const;
  [[nodiscard]] std::optional<Match> find(const Target& target) const;

  // Every protected range that does not lie inside another one: for the enforcer's own allow-list.
  [[nodiscard]] std::vector<Prefix> prefixes() const;
  [[nodiscard]] size_t size() const { return prefixes_.size() + names_.size(); }

 private:
  uint32_t list_number(const std::string& list, bool self);
  [[nodiscard]] Match match(std::string entry, uint32_t list) const;
  std::vector<std::pair<std::string, bool>> lists_;
  std::map<Prefix, uint32_t> prefixes_;
  std::map<std::string, uint32_t, std::less<>> names_;  // spelled backwards, so that what is below a name follows it
  std::array<uint32_t, 129> lengths_{};                 // how many prefixes have this length (both families)
};

}  // namespace entente::enforce
