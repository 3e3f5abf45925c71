#include "store/internal/query.h"

#include <algorithm>
#include <limits>

namespace entente::store {
namespace {

constexpr size_t kReserve = 1000;
constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

}  // namespace

Result<std::vector<Versions::Entry>> object_versions(const log::View& view, const std::string& object_in_collection) {
  auto stored = view.get(kObjects, object_in_collection);
  if (!stored.ok()) {
    if (stored.error().kind == ErrorKind::kNotFound) return std::vector<Versions::Entry>();
    return std::move(stored).error();
  }
  TRY(Versions versions, decode_versions(*stored));
  if (!versions.many) return std::move(versions.entries);

  Status decoded;
  CHECK_OK(view.scan(kVersions, object_in_collection, after_prefix(object_in_collection),
                     [&](std::string_view key, std::string_view value) {
                       Versions::Entry e;
                       ByteReader r(value);
                       if (key.size() != object_in_collection.size() + kVersionKeySize || !read_entry(r, e)) {
                         decoded = damaged("version");
                         return false;
                       }
                       e.version = read_version_key(key.substr(object_in_collection.size()));
                       versions.entries.push_back(std::move(e));
                       return true;
                     }));
  CHECK_OK(decoded);
  return std::move(versions.entries);
}

Result<std::vector<Row>> object_rows(const log::View& view, const Uuid& collection, std::string_view id) {
  TRY(const auto entries, object_versions(view, object_in(object_key(id), collection)));
  std::vector<Row> rows;
  rows.reserve(entries.size());
  for (const auto& e : entries) {
    const std::string key = row_key(collection, e.date);
    auto value = view.get(kRows, key);
    if (!value.ok()) return value.error().kind == ErrorKind::kNotFound ? damaged("row") : value.error();
    CHECK_OK(decode_row(key, *value, rows.emplace_back()));
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.date_added < b.date_added; });
  return rows;
}

PageReader::PageReader(const log::View& view, const Uuid& collection, const Query& query)
    : view_(view),
      collection_(collection),
      query_(query),
      after_(query.added_after ? query.added_after->us : kNever),
      upto_(query.upto ? query.upto->us : kForever),
      from_(std::max(after_, query.resume ? query.resume->us : kNever)) {}

Result<Page> PageReader::run() {
  if (from_ >= upto_) return Page{};
  return query_.ids.empty() ? walk() : by_id();
}

bool PageReader::wants_spec(std::string_view spec) const {
  return query_.spec_versions.empty() || contains(query_.spec_versions, spec);
}

PageReader::Glance PageReader::glance(const RowHead& head, std::string_view value) const {
  if (!query_.types.empty()) {
    const auto type = peek_type(value);
    if (!type) return Glance::kLook;
    if (!contains(query_.types, *type)) return Glance::kNo;
  }
  if (head.listed || !query_.spec_versions.empty()) return Glance::kLook;
  if (query_.all) return Glance::kYes;
  const bool last = head.newer <= after_ || head.newer > upto_;
  const bool first = head.older <= after_ || head.older > upto_;
  const bool chosen = (query_.last && last) || (query_.first && first);
  if (!chosen) return query_.exact.empty() ? Glance::kNo : Glance::kLook;
  return hides(head) ? Glance::kLook : Glance::kYes;
}

Result<const PageReader::Window*> PageReader::window_of(const std::string& id) {
  if (const auto it = windows_.find(id); it != windows_.end()) return &it->second;
  TRY(const auto entries, object_versions(view_, object_in(object_key(id), collection_)));
  Window w;
  // T52: with no spec_version asked for, only the newest that there is of this object.
  for (const auto& e : entries) {
    if (in_window(e.date) && query_.spec_versions.empty() && e.spec > w.spec) w.spec = e.spec;
  }
  std::optional<stix::Timestamp> oldest;
  std::optional<stix::Timestamp> newest;
  for (const auto& e : entries) {
    if (!in_window(e.date) || (query_.spec_versions.empty() ? e.spec != w.spec : !wants_spec(e.spec))) continue;
    const stix::Timestamp at = e.instant();
    // Two can share an instant only if one of them is the date added of an unversioned one: the later date wins both
    // ways.
    if (!newest || at > *newest || (at == *newest && e.date > w.last)) {
      newest = at;
      w.last = e.date;
    }
    if (!oldest || at < *oldest || (at == *oldest && e.date > w.first)) {
      oldest = at;
      w.first = e.date;
    }
    w.empty = false;
  }
  return &windows_.emplace(id, std::move(w)).first->second;
}

// The row lies in the window.
Result<bool> PageReader::selects(const RowHead& head, const Row& row) {
  if (!query_.types.empty() && !contains(query_.types, row.type)) return false;
  if (!wants_spec(row.spec_version)) return false;

  bool last = !(head.newer > after_ && head.newer <= upto_);
  bool first = !(head.older > after_ && head.older <= upto_);
  if (head.listed || (hides(head) && !query_.all)) {
    TRY(const Window* w, window_of(row.id));
    if (query_.spec_versions.empty() && row.spec_version != w->spec) return false;
    last = w->last == row.date_added.us;
    first = w->first == row.date_added.us;
  }
  if (query_.all) return true;
  if ((query_.last && last) || (query_.first && first)) return true;
  return std::find(query_.exact.begin(), query_.exact.end(), row.version_time) != query_.exact.end();
}

Result<Page> PageReader::by_id() {
  std::vector<std::string> ids = query_.ids;
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());

  Page page;
  for (const auto& id : ids) {
    TRY(const auto entries, object_versions(view_, object_in(object_key(id), collection_)));
    for (const auto& e : entries) {
      if (!in_window(e.date) || e.date <= from_) continue;
      const std::string key = row_key(collection_, e.date);
      auto value = view_.get(kRows, key);
      if (!value.ok()) return value.error().kind == ErrorKind::kNotFound ? damaged("row") : value.error();
      RowHead head;
      if (!read_row_head(*value, head)) return damaged("row");
      CHECK_OK(decode_row(key, *value, page.rows.emplace_back()));
      TRY(const bool selected, selects(head, page.rows.back()));
      if (!selected) page.rows.pop_back();
    }
  }
  std::sort(page.rows.begin(), page.rows.end(), [](const Row& a, const Row& b) { return a.date_added < b.date_added; });
  if (page.rows.size() > query_.limit) {
    page.rows.resize(query_.limit);
    page.more = true;
  }
  if (query_.brief) {
    page.refs.reserve(page.rows.size());
    for (const auto& row : page.rows) page.refs.push_back({row.date_added, row.item});
    page.rows.clear();
  }
  return page;
}

Result<Page> PageReader::walk() {
  Page page;
  if (!query_.brief) page.rows.reserve(std::min(query_.limit, kReserve) + 1);
  Row read;  // of a brief page, when its head does not say enough
  Status status;
  const int64_t from = from_ == kNever ? kNever : from_ + 1;
  const std::string end = upto_ == kForever ? after_prefix(collection_.raw()) : row_key(collection_, upto_ + 1);
  CHECK_OK(view_.scan(kRows, row_key(collection_, from), end, [&](std::string_view key, std::string_view value) {
    RowHead head;
    if (!read_row_head(value, head)) {
      status = damaged("row");
      return false;
    }
    const Glance seen = glance(head, value);
    if (seen == Glance::kNo) return true;
    if (seen == Glance::kLook || !query_.brief) {
      // In place: a row has six strings, and pages have a thousand rows.
      Row& row = query_.brief ? read : page.rows.emplace_back();
      status = decode_row(key, value, row);
      if (!status.ok()) return false;
      auto selected = selects(head, row);
      if (!selected.ok()) {
        status = std::move(selected).error();
        return false;
      }
      if (!*selected) {
        if (!query_.brief) page.rows.pop_back();
        return true;
      }
    }
    if (query_.brief) page.refs.push_back({Time{read_row_date(key)}, head.item});
    if (page.rows.size() + page.refs.size() > query_.limit) {
      query_.brief ? page.refs.pop_back() : page.rows.pop_back();
      page.more = true;
      return false;
    }
    return true;
  }));
  CHECK_OK(status);
  return page;
}

}  // namespace entente::store
