# What the extension modules and the variants of the core have in common: shared objects that are
# loaded into a process with others, maybe on an older system than they were built on.

function(eigenmlp_shared_object name)
  set_target_properties(${name} PROPERTIES
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(CMAKE_SYSTEM_NAME STREQUAL "Linux" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_sources(${name} PRIVATE ${PROJECT_SOURCE_DIR}/cpp/bindings/glibc_2_28.cpp
      ${PROJECT_SOURCE_DIR}/cpp/bindings/terminate.cpp)
    target_compile_options(${name} PRIVATE
      -include ${PROJECT_SOURCE_DIR}/cpp/bindings/glibc_2_28.hpp)
    # The standard library inside, and seen by nobody else: other extensions bring theirs.
    target_link_options(${name} PRIVATE -static-libstdc++
      -Wl,--exclude-libs,ALL -Wl,--gc-sections)
    target_compile_options(${name} PRIVATE -ffunction-sections -fdata-sections)
  endif()
  target_compile_options(${name} PRIVATE ${eigenmlp_gnu}-fno-math-errno ${eigenmlp_warnings}
    $<$<BOOL:${eigenmlp_gnu}>:/bigobj>)
  if(NOT EIGENMLP_SANITIZE) # whose reports name functions and lines
    target_link_options(${name} PRIVATE $<$<PLATFORM_ID:Linux>:-s>)
  endif()
endfunction()
