# METIS as METIS::METIS; its Debian package brings no CMake file. Only a build of METIS with 32-bit idx_t and real_t,
# which is what distributions ship, is accepted.
find_path(METIS_INCLUDE_DIR metis.h)
find_library(METIS_LIBRARY metis)
mark_as_advanced(METIS_INCLUDE_DIR METIS_LIBRARY)

if(METIS_INCLUDE_DIR AND EXISTS ${METIS_INCLUDE_DIR}/metis.h)
  file(STRINGS ${METIS_INCLUDE_DIR}/metis.h version_lines REGEX "define METIS_VER_(MAJOR|MINOR|SUBMINOR)")
  string(REGEX REPLACE "[^0-9;]" "" version_numbers "${version_lines}")
  list(JOIN version_numbers "." METIS_VERSION)
  file(STRINGS ${METIS_INCLUDE_DIR}/metis.h METIS_IDX32 REGEX "define[ \t]+IDXTYPEWIDTH[ \t]+32")
  file(STRINGS ${METIS_INCLUDE_DIR}/metis.h METIS_REAL32 REGEX "define[ \t]+REALTYPEWIDTH[ \t]+32")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(METIS REQUIRED_VARS METIS_LIBRARY METIS_INCLUDE_DIR METIS_IDX32 METIS_REAL32
                                  VERSION_VAR METIS_VERSION)

if(METIS_FOUND AND NOT TARGET METIS::METIS)
  add_library(METIS::METIS UNKNOWN IMPORTED)
  set_target_properties(METIS::METIS PROPERTIES IMPORTED_LOCATION ${METIS_LIBRARY}
                                                INTERFACE_INCLUDE_DIRECTORIES ${METIS_INCLUDE_DIR})
endif()
