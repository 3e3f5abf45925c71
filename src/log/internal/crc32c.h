// CRC-32C (Castagnoli), as iSCSI and many stores use it: by the processor's instruction where there is one.
#pragma once

#include <cstdint>
#include <string_view>

namespace entente::log {

// `crc` is the result for what came before (0 = nothing).
[[nodiscard]] uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);
// The same by table, for machines without the instruction and for the test that both agree.
[[nodiscard]] uint32_t crc32c_portable(std::string_view bytes, uint32_t crc = 0);

}  // namespace entente::log
