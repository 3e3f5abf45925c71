// The processes that the demo starts: this same program, as a user would start it. Whatever happens to the demo, they
// end: the kernel ends them with it, even when it is killed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace entente::cli::demo {

// Set by ctrl-C and SIGTERM from watch_signals() on; every wait of the demo looks at it.
void watch_signals();
[[nodiscard]] bool interrupted();
[[nodiscard]] Error interruption();

struct Ran {
  int status = 0;  // exit status; 128 + signal if it was ended by one
  std::string out, err;
};
// Runs to the end. `network`: file descriptor of a network namespace to run it in, -1 for ours.
[[nodiscard]] Result<Ran> run_program(const std::vector<std::string>& argv, int network = -1,
                                      const std::string& input = {});

// A process that goes on. Standard output and error go to files.
class Child {
 public:
  static Result<Child> start(const std::vector<std::string>& argv, const std::string& out_file,
                             const std::string& err_file, int network = -1);
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { stop(); }
  [[nodiscard]] bool running();
  // SIGTERM, and SIGKILL if that does not help within `patience_ms`. Returns its exit status.
  int stop(int patience_ms = 8000);

 private:
  int pid_ = -1;
  int status_ = 0;
};

// This program, to be started again.
[[nodiscard]] std::string own_program();
// Full path of a program in PATH or the usual places for administrators' programs; "" if it is not there.
[[nodiscard]] std::string find_program(const std::string& name);

}  // namespace entente::cli::demo
