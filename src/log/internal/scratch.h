// Tables that nothing else sees, for a replay beside the live ones.
#pragma once

#include <map>
#include <memory>

#include "log/internal/overlay.h"

namespace entente::log {

class Scratch : public Base {
 public:
  virtual Status write(const Overlay& writes) = 0;
  // Keys of a table in order. Nothing is written while one is open.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    virtual bool next(std::string_view& key, std::string_view& value) = 0;
    [[nodiscard]] virtual Status status() const = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<Cursor> open(Table table) const = 0;
  [[nodiscard]] virtual size_t bytes() const = 0;
};

[[nodiscard]] std::unique_ptr<Scratch> make_mem_scratch();

}  // namespace entente::log
