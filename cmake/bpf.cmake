# entente_bpf(NAME) compiles bpf/NAME.bpf.c and leaves a libbpf skeleton, generated/NAME.skel.h. At configuration, like
# version.h, so that clang-tidy and editors find it without a build; again when one of its sources changes.
find_program(ENTENTE_BPF_CLANG NAMES clang-19 clang-14 clang REQUIRED)
find_program(ENTENTE_BPFTOOL bpftool PATHS /usr/sbin REQUIRED)

function(entente_bpf name)
  set(out "${CMAKE_BINARY_DIR}/generated")
  set(source "${CMAKE_SOURCE_DIR}/bpf/${name}.bpf.c")
  file(GLOB parts "${CMAKE_SOURCE_DIR}/bpf/*")
  set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${parts})
  # Debian keeps <asm/types.h> where only the native target looks.
  execute_process(COMMAND "${ENTENTE_BPF_CLANG}" -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3
      "-I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}" "-I${CMAKE_SOURCE_DIR}/bpf" "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/="
      -c "${source}" -o "${out}/${name}.bpf.full.o"
    RESULT_VARIABLE failed ERROR_VARIABLE why)
  if(failed)
    message(FATAL_ERROR "${source} does not compile (libbpf-dev and clang are needed, see tools/setup):\n${why}")
  endif()
  # Without DWARF, which nothing reads: 11 of 26 KB stay.
  execute_process(COMMAND "${ENTENTE_BPFTOOL}" gen object "${out}/${name}.bpf.o" "${out}/${name}.bpf.full.o" RESULT_VARIABLE failed ERROR_VARIABLE why)
  if(NOT failed)
    execute_process(COMMAND "${ENTENTE_BPFTOOL}" gen skeleton "${out}/${name}.bpf.o" name "${name}_bpf"
      OUTPUT_VARIABLE skeleton RESULT_VARIABLE failed ERROR_VARIABLE why)
  endif()
  if(failed)
    message(FATAL_ERROR "bpftool could not make a skeleton of ${source}:\n${why}")
  endif()
  file(CONFIGURE OUTPUT "${out}/bpf/${name}.skel.h" CONTENT "${skeleton}" @ONLY)
endfunction()
