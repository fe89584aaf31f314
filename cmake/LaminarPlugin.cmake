# laminar_add_plugin(TARGET HEADER) makes TARGET.so of the layers in HEADER, for the option --plugin TARGET.so.
function(laminar_add_plugin target header)
  get_filename_component(header_path ${header} ABSOLUTE)
  if(NOT EXISTS ${header_path})
    message(FATAL_ERROR "laminar_add_plugin(${target}): there is no ${header_path}")
  endif()
  # A header is no source file, so it goes into one.
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${target}_plugin.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "#include \"@header_path@\"\n" @ONLY)
  add_library(${target} MODULE ${source})
  # Two plugins may have classes of one name.
  set_target_properties(${target} PROPERTIES PREFIX "" CXX_VISIBILITY_PRESET hidden)
  target_link_libraries(${target} PRIVATE Laminar::layers)
  if(TARGET laminar_layers)
    # Laminar is built along with it: laminar/plugin.hpp is not installed yet.
    target_include_directories(${target} PRIVATE ${Laminar_BINARY_DIR}/include_plugin)
    target_compile_options(${target} PRIVATE ${LAMINAR_CODE_FLAGS})
    if(LAMINAR_SANITIZE)
      target_link_options(${target} PRIVATE -fsanitize=${LAMINAR_SANITIZE})
    endif()
  endif()
endfunction()
