# Installation: `find_package(Laminar)` gives Laminar::core, layers, partition, datasets and pipeline, and
# laminar_add_plugin().
# Headers and libraries are installed by laminar_add_library(), executables by apps/.
include(CMakePackageConfigHelpers)

set(LAMINAR_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/Laminar)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/LaminarConfig.cmake.in ${PROJECT_BINARY_DIR}/LaminarConfig.cmake
                              INSTALL_DESTINATION ${LAMINAR_CMAKE_DIR})
# Interfaces may change with every minor version before 1.0, as the libraries' SOVERSION says too.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/LaminarConfigVersion.cmake VERSION ${PROJECT_VERSION}
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/LaminarConfig.cmake ${PROJECT_BINARY_DIR}/LaminarConfigVersion.cmake
              ${CMAKE_CURRENT_LIST_DIR}/LaminarPlugin.cmake
        DESTINATION ${LAMINAR_CMAKE_DIR})
install(EXPORT LaminarTargets NAMESPACE Laminar:: DESTINATION ${LAMINAR_CMAKE_DIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
