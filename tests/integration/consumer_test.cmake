# Installs a build tree into a fresh prefix, moves the prefix, builds the consumer project against it alone, and runs it;
# then makes, checks, builds and trains with plugins as a user of the installation does.
#
#   cmake -D BUILD_DIR=... -D CONSUMER_DIR=... -D WORK_DIR=... -D EXPECTED=REGEX -D GENERATOR=... -D CXX_COMPILER=...
#         -D BUILD_TYPE=... [-D CXX_LAUNCHER=...] [-D CXX_FLAGS=...] -P consumer_test.cmake
cmake_minimum_required(VERSION 3.25)

foreach(name BUILD_DIR CONSUMER_DIR WORK_DIR EXPECTED GENERATOR CXX_COMPILER BUILD_TYPE)
  if(NOT DEFINED ${name})
    message(FATAL_ERROR "consumer_test: -D ${name}=... is missing")
  endif()
endforeach()
set(prefix ${WORK_DIR}/prefix)
set(consumer_build ${WORK_DIR}/build)
# A stale file in the prefix or a stale cache would hide that something is no longer installed.
file(REMOVE_RECURSE ${WORK_DIR})

# run_step(WHAT COMMAND...) fails the test with the command's output, or gives it as `output`.
function(run_step what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "consumer_test: ${what} failed (${code}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

run_step("installation" ${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/staged)
# Packages are built in one place and used in another.
file(RENAME ${WORK_DIR}/staged ${prefix})

file(GLOB_RECURSE package_files ${prefix}/*.cmake)
foreach(file IN LISTS package_files)
  file(STRINGS ${file} leaks REGEX "${BUILD_DIR}")
  if(leaks)
    message(FATAL_ERROR "consumer_test: ${file} names the build tree: ${leaks}")
  endif()
endforeach()

# What Laminar uses inside must not be asked for outside.
set(hidden_packages)
foreach(package TBB Eigen3 fmt HDF5 PkgConfig dnnl OpenMP Boost nlohmann_json)
  list(APPEND hidden_packages -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
run_step("configuration of the consumer"
  ${CMAKE_COMMAND} -S ${CONSUMER_DIR} -B ${consumer_build} -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
  -DCMAKE_BUILD_TYPE=${BUILD_TYPE} -DCMAKE_CXX_COMPILER=${CXX_COMPILER} -DCMAKE_CXX_COMPILER_LAUNCHER=${CXX_LAUNCHER}
  -DCMAKE_CXX_FLAGS=${CXX_FLAGS} -DCMAKE_EXPORT_COMPILE_COMMANDS=ON ${hidden_packages})

file(READ ${consumer_build}/compile_commands.json commands)
string(REGEX MATCHALL "(-I|-isystem) *[^ ]+" include_flags "${commands}")
list(REMOVE_DUPLICATES include_flags)
foreach(flag IN LISTS include_flags)
  if(NOT flag MATCHES " *${prefix}/include$")
    message(FATAL_ERROR "consumer_test: the consumer is compiled with ${flag}, which is not in the prefix")
  endif()
endforeach()

run_step("build of the consumer" ${CMAKE_COMMAND} --build ${consumer_build} --parallel 2)
run_step("the consumer" ${consumer_build}/consumer ${WORK_DIR}/graph.h5)
if(NOT output MATCHES "${EXPECTED}")
  message(FATAL_ERROR "consumer_test: expected output matching\n${EXPECTED}\nfound\n${output}")
endif()
message(STATUS "the consumer printed:\n${output}")

# Installed executables must find their libraries beside them.
file(GLOB apps ${prefix}/bin/*)
foreach(app IN LISTS apps)
  run_step("the installed ${app} --help" ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${app} --help)
endforeach()

# Plugins: one that CMake built, and a new one, compiled by the executables with the headers of the prefix.
set(environment ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH LAMINAR_CACHE_DIR=${WORK_DIR}/cache
                ${CMAKE_COMMAND} -E chdir ${WORK_DIR})
macro(run_app name)
  run_step("laminar-${name} ${ARGN}" ${environment} ${prefix}/bin/laminar-${name} ${ARGN})
endmacro()
run_app(train graph.h5 --plugin ${consumer_build}/consumer_conv.so --layer consumer_conv --epochs 3 --hidden 8)
if(NOT output MATCHES "RESULT layer=consumer_conv")
  message(FATAL_ERROR "consumer_test: no result of a plugin's training:\n${output}")
endif()
run_app(plugin new my_conv)
run_app(plugin check my_conv.hpp)
if(NOT output MATCHES "RESULT layers=1 checks=8 failed=0")
  message(FATAL_ERROR "consumer_test: the new plugin does not pass its checks:\n${output}")
endif()
run_app(plugin build my_conv.hpp --verbose)
if(NOT output MATCHES "-I${prefix}/include" OR output MATCHES "${BUILD_DIR}/(include|lib|bin)")
  message(FATAL_ERROR "consumer_test: a plugin is not compiled with the prefix alone:\n${output}")
endif()
foreach(plugin my_conv.hpp my_conv.so)
  run_app(train graph.h5 --plugin ${plugin} --layer my_conv --epochs 3 --hidden 8 --checkpoint model.h5)
  run_app(predict graph.h5 --plugin ${plugin} --model model.h5 --out predictions.csv)
  run_app(info --layers --plugin ${plugin})
endforeach()
if(NOT output MATCHES "--my_conv.share")
  message(FATAL_ERROR "consumer_test: laminar-info does not list the plugin's option:\n${output}")
endif()
