#include "pattern/pattern.h"

#include "pattern/internal/parser.h"

namespace entente::pattern {

Result<Pattern> Pattern::parse(std::string_view text) {
  TRY(Ast ast, parse_ast(text));
  return Pattern(std::make_shared<const Ast>(std::move(ast)));
}

std::string Pattern::print() const { return pattern::print(*ast_); }
const std::vector<std::string>& Pattern::warnings() const { return ast_->warnings; }

const char* name(AtomKind kind) {
  switch (kind) {
    case AtomKind::kIpv4:
      return "ipv4";
    case AtomKind::kIpv6:
      return "ipv6";
    case AtomKind::kCidr4:
      return "cidr4";
    case AtomKind::kCidr6:
      return "cidr6";
    case AtomKind::kDomain:
      return "domain";
    case AtomKind::kDomainTree:
      return "domain-tree";
    case AtomKind::kDomainBelow:
      return "domain-below";
    case AtomKind::kUrl:
      return "url";
    case AtomKind::kMd5:
      return "md5";
    case AtomKind::kSha1:
      return "sha1";
    case AtomKind::kSha256:
      return "sha256";
    case AtomKind::kSha512:
      return "sha512";
    case AtomKind::kEmail:
      return "email";
    case AtomKind::kJa3:
      return "ja3";
    case AtomKind::kJa4:
      return "ja4";
  }
  return "?";
}

std::string quote(std::string_view value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out += '\'';
}

}  // namespace entente::pattern
