// The parts of `entente agreement`.
#pragma once

#include <string>
#include <vector>

#include "agreement/document.h"
#include "cli/internal/commands.h"

namespace entente::cli {

void add_agreement_documents(CLI::App& agreement, Context& cx);  // check show diff simulate
void add_agreement_acts(CLI::App& agreement, Context& cx);       // propose … close-project, countersign, export, import

[[nodiscard]] Result<agreement::Document> load_document(const std::string& file,
                                                        std::vector<agreement::Problem>& problems);

}  // namespace entente::cli
