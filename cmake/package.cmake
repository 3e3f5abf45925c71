# find_package(entente) for programs of others: targets entente::base, entente::json, entente::stix, entente::pattern.
include(CMakePackageConfigHelpers)
set(ENTENTE_PACKAGE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/entente")
install(EXPORT ententeTargets NAMESPACE entente:: DESTINATION "${ENTENTE_PACKAGE_DIR}" COMPONENT development)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/ententeConfig.cmake.in" "${CMAKE_BINARY_DIR}/generated/ententeConfig.cmake"
  INSTALL_DESTINATION "${ENTENTE_PACKAGE_DIR}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/generated/ententeConfigVersion.cmake" VERSION "${PROJECT_VERSION}" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/generated/ententeConfig.cmake" "${CMAKE_BINARY_DIR}/generated/ententeConfigVersion.cmake"
  DESTINATION "${ENTENTE_PACKAGE_DIR}" COMPONENT development)
