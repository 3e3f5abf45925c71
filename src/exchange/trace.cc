#include "exchange/trace.h"

#include "exchange/names.h"
#include "exchange/wire.h"

namespace entente::exchange {

Result<std::vector<Given>> trace(Exchange& exchange, const std::string& what) {
  Context& cx = exchange.context();
  const std::string& me = cx.config.party;
  std::vector<Given> out;
  for (const auto& s : exchange.instruments().states()) {
    for (const auto& p : s->document->parties) {
      if (p.party == me) continue;
      std::string sent = what;
      if (auto as = cx.store.get("sent-as", s->agreement_id + " " + p.party + " " + what); as.ok()) sent = *as;
      store::Query q;
      q.all = true;
      q.limit = 1000;
      q.types = {std::string(kManifestType)};
      while (true) {
        TRY(const auto page, cx.store.page(released(s->agreement_id, me, p.party), q));
        if (page.rows.empty()) break;
        q.added_after = page.rows.back().date_added;
        for (const auto& row : page.rows) {
          TRY(const std::string raw, cx.store.raw(row));
          // Most manifests do not hold it: looking at the text is enough to know.
          if (raw.find(sent) == std::string::npos) continue;
          TRY(const json::Document doc, json::parse(raw));
          TRY(const Manifest m, parse_manifest(doc.root()));
          for (const auto& o : m.objects) {
            if (o.id != sent && o.sha256 != sent) continue;
            out.push_back(
                {m.agreement, m.to, o.id, o.version, o.sha256, m.at, m.leaf_index, o.article, o.tlp, o.tombstone});
          }
        }
      }
    }
  }
  return out;
}

}  // namespace entente::exchange
