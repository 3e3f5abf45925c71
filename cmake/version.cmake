# base/version.h is generated: version of the project and commit of the checkout.
execute_process(COMMAND git -C "${CMAKE_SOURCE_DIR}" describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE ENTENTE_COMMIT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT ENTENTE_COMMIT)
  set(ENTENTE_COMMIT "unknown")
endif()
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/generated/entente_version.h" CONTENT
"#pragma once
#define ENTENTE_VERSION \"@PROJECT_VERSION@\"
#define ENTENTE_COMMIT \"@ENTENTE_COMMIT@\"
" @ONLY)
