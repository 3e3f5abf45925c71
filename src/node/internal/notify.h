// What the service manager is told (sd_notify(3)), by its datagram protocol and without its library.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace entente::node {

// Sends "READY=1\nSTATUS=…" and the like to NOTIFY_SOCKET. Nothing happens, and false is returned, where there is none.
bool notify_manager(std::string_view state);
// RELOADING=1 with the time that Type=notify-reload wants.
bool notify_reloading();
// How often WATCHDOG=1 is due: half of what WATCHDOG_USEC asks; nullopt if it is not asked of this process.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval();

}  // namespace entente::node
