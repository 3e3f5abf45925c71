// Lines of one input: split, recognised, scanned raw, and only those that show a candidate taken apart.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "detect/compound.h"
#include "detect/hunt.h"
#include "detect/internal/scan.h"
#include "detect/internal/tokens.h"
#include "detect/lines.h"
#include "json/json.h"

namespace entente::detect {

class LineHunter {
 public:
  LineHunter(std::string source, const Index& index, const std::function<void(const HuntMatch&)>& sink,
             const HuntOptions& options, HuntReport& report, RecordScan* scan = nullptr)
      : source_(std::move(source)),
        index_(index),
        shape_(options.lines != nullptr ? kEveryShape : index.table().shape()),
        scanner_(index.table(), options.kernel.value_or(kernels().back())),
        sink_(sink),
        options_(options),
        scan_(scan),
        lines_(options.lines),
        every_(options.parse_all || lines_ != nullptr || (scan != nullptr && scan->every())),
        report_(report) {}

  // Pieces of any size; `pad` octets before and after them are readable.
  void feed(std::string_view bytes, size_t pad = 0);
  // As if the lines of `before`, the beginning of the same input, had been read: what they say about how to read on,
  // and the number of the line before the next.
  void resume(std::string_view before, uint64_t number);
  [[nodiscard]] uint64_t lines() const { return number_; }
  void finish();  // the last line may lack its end; adds the notes

 private:
  struct Column {
    std::string name;
    bool text = true;  // string, addr and sets of them; numbers and enumerations hold nothing to look up
    bool list = false;
  };

  void search(std::string_view text);
  void block(std::string_view text);
  void flush_carry(size_t size);
  [[nodiscard]] Form form_of(std::string_view text) const;
  [[nodiscard]] bool passes(std::string_view line, Form form) const;
  void line(std::string_view text);
  void json_line(std::string_view text);
  [[nodiscard]] bool syslog_line(std::string_view text);
  void tsv_line(std::string_view text);
  void tsv_header(std::string_view text);
  void text_line(std::string_view text);

  void walk(const simdjson::dom::element& e, int depth);
  // The line as a record, if a compound pattern may ask for it.
  [[nodiscard]] bool wanted() const {
    return lines_ != nullptr || (scan_ != nullptr && (!shown_.empty() || scan_->every()));
  }
  void record_walk(const simdjson::dom::element& e, int depth);
  void record_field(std::string_view text);  // the field is path_
  void end_record();
  [[nodiscard]] const std::string& time();
  void join_url(std::string_view host, std::string_view uri, std::string_view port, std::string_view uri_field);
  void observe(std::string_view field, std::string_view text);
  void look_up(std::string_view field, ObservableKind kind, std::string_view text, bool only_urls = false);

  std::string source_;
  const Index& index_;
  Table::Shape shape_;
  Scanner scanner_;
  const std::function<void(const HuntMatch&)>& sink_;
  const HuntOptions& options_;
  RecordScan* scan_;  // null: there are no compound patterns
  LineSink* lines_;   // null: lines are matched with the index
  bool every_;        // line is taken apart
  HuntReport& report_;

  std::vector<uint32_t> ends_, needed_;
  std::string carry_;      // behind padding: lines that are to be put together, the last without its end
  bool skipping_ = false;  // inside a line that is too long
  bool first_ = true, wide_ = false;
  uint64_t number_ = 0;
  uint64_t long_lines_ = 0, bad_json_ = 0, bad_utf8_ = 0, odd_columns_ = 0;

  // Zeek TSV (its header says how it is written)
  bool tsv_ = false, plain_separators_ = true;
  std::string separator_ = "\t", set_separator_ = ",", unset_ = "-", empty_ = "(empty)";
  std::vector<Column> columns_;
  std::string scratch_;

  simdjson::dom::parser parser_;
  std::string path_;  // of the member that is walked
  std::string time_;
  std::optional<simdjson::dom::object> timed_;  // the line that says it, if nobody asked yet
  std::vector<Hit> hits_;
  std::vector<std::pair<uint32_t, std::string>> told_;  // (indicator, field) of this record
  std::vector<Shown> shown_;                            // anchors of this record
  Record record_;
};

}  // namespace entente::detect
