// A table for people: columns as wide as what is in them, numbers to the right.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace entente::cli {

class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  void print(std::FILE* to = stdout) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

// 13,752
[[nodiscard]] std::string grouped(uint64_t n);
[[nodiscard]] size_t display_width(const std::string& utf8);

}  // namespace entente::cli
