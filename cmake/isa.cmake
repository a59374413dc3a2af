# Variants of the core: the same sources, compiled for several instruction sets, each in a module of
# its own. Objects of two variants must never be linked together: inline functions keep one name
# under every flag, and the linker keeps one copy.
# Hardly any machine needs v2, so it is compiled for size: all variants together fit into 4 MB.
set(eigenmlp_flags_v2 -march=x86-64-v2 -O2)
set(eigenmlp_flags_v3 -march=x86-64-v3)
set(eigenmlp_flags_v4 -march=x86-64-v4 -mprefer-vector-width=512)
# v4 with bfloat16: AMX's tiles, and AVX-512's products where the system does not grant those.
set(eigenmlp_flags_amx ${eigenmlp_flags_v4} -mavx512bf16 -mamx-tile -mamx-bf16)
set(eigenmlp_flags_baseline "")

if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(eigenmlp_levels baseline)
elseif(EIGENMLP_ISA STREQUAL "all")
  set(eigenmlp_levels v2 v3 v4 amx)
elseif(EIGENMLP_ISA STREQUAL "best")
  # The same choice as at import, by the same code.
  try_run(eigenmlp_best_ran eigenmlp_best_compiles
    ${PROJECT_BINARY_DIR}/best_level ${PROJECT_SOURCE_DIR}/cmake/best_level.cpp
    CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${PROJECT_SOURCE_DIR}/cpp
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE eigenmlp_best_errors RUN_OUTPUT_VARIABLE eigenmlp_levels)
  if(NOT eigenmlp_best_compiles OR NOT eigenmlp_best_ran EQUAL 0)
    message(FATAL_ERROR "EIGENMLP_ISA=best: expected GCC 11 or newer, or Clang 14 or newer, and a "
      "processor of x86-64-v2 or better, got ${CMAKE_CXX_COMPILER_ID} "
      "${CMAKE_CXX_COMPILER_VERSION}; name the variants instead\n${eigenmlp_best_errors}")
  endif()
else()
  set(eigenmlp_levels ${EIGENMLP_ISA})
endif()
foreach(level ${eigenmlp_levels})
  if(NOT DEFINED eigenmlp_flags_${level})
    message(FATAL_ERROR "EIGENMLP_ISA: '${level}' is unknown; known: all best v2 v3 v4 amx baseline")
  endif()
endforeach()
message(STATUS "Variants of the core: ${eigenmlp_levels}")
