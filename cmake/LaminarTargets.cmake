# What every target of the project shares: language level, warnings, sanitizers, the include root
# (`include/laminar` in the build tree points at the source tree, so that a header has one name everywhere),
# and laminar_add_library(), which makes the one shared library of a folder.
include(GNUInstallDirs)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}:$ORIGIN")
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include)
file(CREATE_LINK ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/include/laminar SYMBOLIC)
# The one header that is not in a folder: laminar/plugin.hpp.
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include_plugin/laminar)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/layers/plugin.hpp ${PROJECT_BINARY_DIR}/include_plugin/laminar/plugin.hpp
     SYMBOLIC)

# Flags that change the code: those of plugins too.
set(LAMINAR_CODE_FLAGS -ffp-contract=off)
if(LAMINAR_SANITIZE)
  list(APPEND LAMINAR_CODE_FLAGS -fsanitize=${LAMINAR_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
endif()

# Flags for the project's own code only; never exported.
add_library(laminar_build_flags INTERFACE)
target_compile_options(laminar_build_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
                                                     -Werror=return-type ${LAMINAR_CODE_FLAGS})
if(LAMINAR_SANITIZE)
  target_link_options(laminar_build_flags INTERFACE -fsanitize=${LAMINAR_SANITIZE})
endif()

# laminar_add_library(FOLDER SOURCES a.cpp ... HEADERS a.hpp ... PUBLIC libs... PRIVATE libs...)
# makes Laminar::FOLDER, a shared library of the folder's sources whose headers are installed as laminar/FOLDER/*.hpp.
function(laminar_add_library folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  set(target laminar_${folder})
  add_library(${target} SHARED ${ARG_SOURCES})
  add_library(Laminar::${folder} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${folder} VERSION ${PROJECT_VERSION}
                                             SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:laminar_build_flags>)
  install(TARGETS ${target} EXPORT LaminarTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(FILES ${ARG_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/laminar/${folder})
endfunction()
