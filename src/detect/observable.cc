#include "detect/observable.h"

namespace entente::detect {

const char* name(ObservableKind kind) {
  switch (kind) {
    case ObservableKind::kIpv4:
      return "ipv4-addr";
    case ObservableKind::kIpv6:
      return "ipv6-addr";
    case ObservableKind::kDomain:
      return "domain-name";
    case ObservableKind::kUrl:
      return "url";
    case ObservableKind::kHash:
      return "file";
    case ObservableKind::kEmail:
      return "email-addr";
    case ObservableKind::kJa3:
    case ObservableKind::kJa4:
      return "network-traffic";
  }
  return "";
}

const char* name(ObservableKind kind, pattern::AtomKind matched) {
  return name(matched == pattern::AtomKind::kJa3 ? ObservableKind::kJa3 : kind);
}

}  // namespace entente::detect
