// The command line: parses, calls, prints. Exit status: 0 done or yes, 1 no, 2 could not run. Errors: `entente: WHAT
// (WHERE): WHAT TO DO`.
#pragma once

namespace entente::cli {

[[nodiscard]] int run(int argc, char** argv);

}  // namespace entente::cli
