// The extension module: JSON text in, plain values out. What Python programs see is entente/__init__.py.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "pattern/evaluate.h"
#include "pattern/observation.h"
#include "pattern/pattern.h"
#include "pattern/validate_input.h"
#include "stix/object.h"
#include "stix/object_stream.h"

namespace py = pybind11;

namespace entente {
namespace {

[[noreturn]] void raise(const Error& e) { throw py::value_error(e.text()); }

template <class T>
T value_or_raise(Result<T> r) {
  if (!r.ok()) raise(r.error());
  return *std::move(r);
}

// The text of every object; the first fault is raised.
std::vector<std::string> split(const std::string& text, size_t max_object) {
  const py::gil_scoped_release free;
  stix::ObjectStream stream(stix::read_text(text), {.max_object = max_object});
  stix::ObjectStream::Item item;
  std::vector<std::string> out;
  while (true) {
    const auto more = stream.next(item);
    if (more.ok() && !*more) return out;
    const bool fault = more.ok() && item.kind == stix::ObjectStream::Item::Kind::kFault;
    if (!more.ok() || fault) {
      const py::gil_scoped_acquire held;
      raise(more.ok() ? *item.fault : more.error());
    }
    if (item.kind == stix::ObjectStream::Item::Kind::kObject) out.emplace_back(item.text);
  }
}

struct FindingRow {
  std::string code;
  bool error;
  std::string pointer, message;
};
struct ObjectRow {
  std::string id, type, place;
  uint64_t line;
  bool is_object;
  std::vector<FindingRow> findings;
};

py::tuple validate(const std::string& text, bool strict, bool warnings, const std::set<std::string>& disabled,
                   bool together, size_t max_object, size_t memory) {
  pattern::InputOptions options;
  options.rules = {.strict = strict, .warnings = warnings};
  options.reading.max_object = max_object;
  options.set.memory = memory;
  options.whole_set = together;
  options.disabled.insert(disabled.begin(), disabled.end());
  std::vector<ObjectRow> rows;
  std::optional<Result<pattern::InputSummary>> summary;
  {
    const py::gil_scoped_release free;
    summary = pattern::validate_input(stix::read_text(text), options, [&](const pattern::ObjectReport& r) {
      ObjectRow row{std::string(r.id), std::string(r.type), std::string(r.place), r.line, r.is_object, {}};
      for (const auto& f : *r.findings) {
        row.findings.push_back({std::string(f.code), f.level == stix::Finding::Level::kError, f.pointer, f.message});
      }
      rows.push_back(std::move(row));
    });
  }
  if (!summary->ok()) raise(summary->error());
  py::list objects;
  for (const auto& r : rows) {
    py::list findings;
    for (const auto& f : r.findings) findings.append(py::make_tuple(f.code, f.error, f.pointer, f.message));
    objects.append(py::make_tuple(r.id, r.type, r.line, r.place, r.is_object, findings));
  }
  return py::make_tuple(objects, (*summary)->complete);
}

std::optional<std::string> deterministic_id(const std::string& text) {
  const auto document = value_or_raise(json::parse(text));
  return stix::deterministic_id(document.root());
}

// A pattern ready to be matched. Immutable, so threads may share it.
class CompiledPattern {
 public:
  explicit CompiledPattern(const std::string& text)
      : pattern_(value_or_raise(pattern::Pattern::parse(text))),
        matcher_(value_or_raise(pattern::Matcher::compile(pattern_))) {}

  [[nodiscard]] std::string text() const { return pattern_.print(); }
  [[nodiscard]] const std::vector<std::string>& warnings() const { return pattern_.warnings(); }

  // Outcome (0 no, 1 matched, 2 limit) and, for each observed-data of a binding, its index, id and how often it serves.
  py::tuple match(const std::string& data, bool lenient, uint64_t max_work) const {
    std::optional<Result<pattern::Observations>> read;
    pattern::MatchResult result;
    {
      const py::gil_scoped_release free;
      read = pattern::Observations::read(data, {.lenient = lenient});
      if (read->ok()) result = matcher_.match(**read, {.max_work = max_work});
    }
    if (!read->ok()) raise(read->error());
    py::list bound;
    for (const auto& b : result.witness) {
      bound.append(py::make_tuple(b.observation, (*read)->all()[b.observation].id, b.times));
    }
    return py::make_tuple(static_cast<int>(result.outcome), (*read)->all().size(), bound);
  }

 private:
  pattern::Pattern pattern_;
  pattern::Matcher matcher_;
};

py::list codes() {
  py::list out;
  for (const auto& c : stix::codes()) {
    out.append(py::make_tuple(std::string(c.code), c.level == stix::Finding::Level::kError, std::string(c.section),
                              std::string(c.rule)));
  }
  return out;
}

}  // namespace
}  // namespace entente

PYBIND11_MODULE(_entente, m) {
  using namespace entente;
  m.def("split", &split);
  m.def("validate", &validate);
  m.def("deterministic_id", &deterministic_id);
  m.def("codes", &codes);
  m.def("quote", [](const std::string& value) { return pattern::quote(value); });
  py::class_<CompiledPattern>(m, "Pattern")
      .def(py::init<const std::string&>())
      .def_property_readonly("text", &CompiledPattern::text)
      .def_property_readonly("warnings", &CompiledPattern::warnings)
      .def("match", &CompiledPattern::match);
}
