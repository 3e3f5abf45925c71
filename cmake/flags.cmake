# Warnings, hardening and sanitizers, for every target of the project.
add_library(entente_flags INTERFACE)
target_include_directories(entente_flags INTERFACE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/generated")
target_compile_options(entente_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wimplicit-fallthrough -Wextra-semi -Wundef
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond;-Wlogical-op>)
if(ENTENTE_WERROR)
  target_compile_options(entente_flags INTERFACE -Werror)
endif()

if(ENTENTE_SANITIZE)
  target_compile_options(entente_flags INTERFACE -fsanitize=${ENTENTE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(entente_flags INTERFACE -fsanitize=${ENTENTE_SANITIZE})
  # GCC 12 sees these two through the sanitizers' own instrumentation: in coroutine frames of Asio and in std::optional.
  target_compile_options(entente_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete;-Wno-maybe-uninitialized>)
else()
  target_compile_options(entente_flags INTERFACE
    -fstack-protector-strong -fstack-clash-protection -fcf-protection
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>)
  target_link_options(entente_flags INTERFACE -Wl,-z,relro -Wl,-z,now $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:-pie>)
endif()
if(ENTENTE_FUZZ)
  # Every layer reports its coverage to libFuzzer; only the targets of fuzz/ have its main.
  target_compile_options(entente_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
target_compile_definitions(entente_flags INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)
