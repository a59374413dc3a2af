# Variants of the core: the same sources, compiled for several instruction sets, each in a shared
# object of its own (cpp/variants). Objects of two variants must never be linked together: inline
# functions keep one name under every flag, and the linker keeps one copy.
#
# Also a script, for the tests:
#   cmake -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DEIGENMLP_ISA=v3 -P cmake/isa.cmake
set(eigenmlp_variants_x86-64 v2 v3 v4)
set(eigenmlp_variants_aarch64 baseline bf16)
set(eigenmlp_variants_other baseline)

# Hardly any machine needs v2, so it is compiled for size.
set(eigenmlp_flags_v2 -march=x86-64-v2 -O2)
set(eigenmlp_flags_v3 -march=x86-64-v3)
# With products of bfloat16 where the processor has them: AVX-512's, or AMX's tiles. At import it is
# told which, so that it serves the levels bf16 and amx too (kernel/operands_either.hpp).
set(eigenmlp_flags_v4 -march=x86-64-v4 -mprefer-vector-width=512
    -mavx512bf16 -mamx-tile -mamx-bf16)
set(eigenmlp_definitions_v4 EIGENMLP_MAY_LACK_BFLOAT16)
set(eigenmlp_variant_of_x86-64_bf16 v4)
set(eigenmlp_variant_of_x86-64_amx v4)
set(eigenmlp_flags_baseline "")
set(eigenmlp_flags_bf16 -march=armv8.2-a+bf16) # BFDOT: Neoverse V1, N2, V2, Apple's M2

# macOS compiles for what it is told to, whatever it runs on.
if(APPLE AND CMAKE_OSX_ARCHITECTURES)
  set(eigenmlp_processor "${CMAKE_OSX_ARCHITECTURES}")
else()
  set(eigenmlp_processor "${CMAKE_SYSTEM_PROCESSOR}")
endif()
if(eigenmlp_processor MATCHES ";")
  message(FATAL_ERROR "CMAKE_OSX_ARCHITECTURES: expected one architecture, got "
    "${eigenmlp_processor}: variants differ between them, so build a wheel for each")
elseif(eigenmlp_processor MATCHES "^(x86_64|AMD64|amd64)$")
  set(eigenmlp_architecture x86-64)
elseif(eigenmlp_processor MATCHES "^(aarch64|arm64|ARM64)$")
  set(eigenmlp_architecture aarch64)
else()
  set(eigenmlp_architecture other)
endif()
set(eigenmlp_variants ${eigenmlp_variants_${eigenmlp_architecture}})
list(JOIN eigenmlp_variants " " eigenmlp_known)

if(EIGENMLP_ISA STREQUAL "all" OR
   (EIGENMLP_ISA STREQUAL "best" AND eigenmlp_architecture STREQUAL "other"))
  set(eigenmlp_levels ${eigenmlp_variants})
elseif(EIGENMLP_ISA STREQUAL "best")
  if(CMAKE_CROSSCOMPILING AND NOT CMAKE_CROSSCOMPILING_EMULATOR)
    message(FATAL_ERROR "EIGENMLP_ISA=best: expected to run on the processor that is compiled for, "
      "got a cross-compiler for ${eigenmlp_processor}: use EIGENMLP_ISA=all, or some of: "
      "${eigenmlp_known}")
  endif()
  # The same choice as at import, by the same code.
  try_run(eigenmlp_best_ran eigenmlp_best_compiles
    ${PROJECT_BINARY_DIR}/best_level ${PROJECT_SOURCE_DIR}/cmake/best_level.cpp
    CMAKE_FLAGS -DINCLUDE_DIRECTORIES=${PROJECT_SOURCE_DIR}/cpp
    CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON
    COMPILE_OUTPUT_VARIABLE eigenmlp_best_errors RUN_OUTPUT_VARIABLE eigenmlp_levels)
  if(NOT eigenmlp_best_compiles OR NOT eigenmlp_best_ran EQUAL 0)
    message(FATAL_ERROR "EIGENMLP_ISA=best: expected a processor of x86-64-v2 or better, got one "
      "that is older or could not be asked; name the variants instead, some of: "
      "${eigenmlp_known}\n${eigenmlp_best_errors}")
  endif()
else()
  set(eigenmlp_levels "")
  foreach(level ${EIGENMLP_ISA})
    if(DEFINED eigenmlp_variant_of_${eigenmlp_architecture}_${level})
      set(level ${eigenmlp_variant_of_${eigenmlp_architecture}_${level}})
    endif()
    list(APPEND eigenmlp_levels ${level})
  endforeach()
  list(REMOVE_DUPLICATES eigenmlp_levels)
endif()

if(NOT eigenmlp_levels)
  message(FATAL_ERROR "EIGENMLP_ISA: expected all, best, or some of: ${eigenmlp_known}, got nothing")
endif()
foreach(level ${eigenmlp_levels})
  if(level IN_LIST eigenmlp_variants)
    continue()
  endif()
  foreach(architecture x86-64 aarch64)
    if(level IN_LIST eigenmlp_variants_${architecture} OR
       DEFINED eigenmlp_variant_of_${architecture}_${level})
      message(FATAL_ERROR "EIGENMLP_ISA: '${level}' is a variant for ${architecture}, and this is a "
        "build for ${eigenmlp_processor}; expected all, best, or some of: ${eigenmlp_known}")
    endif()
  endforeach()
  message(FATAL_ERROR "EIGENMLP_ISA: '${level}' is unknown; expected all, best, or some of: "
    "${eigenmlp_known}")
endforeach()

if(NOT CMAKE_SCRIPT_MODE_FILE)
  include(CheckCXXSourceCompiles)
  foreach(level ${eigenmlp_levels})
    list(JOIN eigenmlp_flags_${level} " " CMAKE_REQUIRED_FLAGS)
    check_cxx_source_compiles("int main() { return 0; }" eigenmlp_compiles_${level})
    if(NOT eigenmlp_compiles_${level})
      message(FATAL_ERROR "EIGENMLP_ISA: expected a compiler that knows '${CMAKE_REQUIRED_FLAGS}' "
        "for the variant '${level}', got ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}: "
        "set CXX to GCC 11, Clang 14 or newer, or leave '${level}' out of: ${eigenmlp_known}")
    endif()
  endforeach()
  unset(CMAKE_REQUIRED_FLAGS)
endif()
list(JOIN eigenmlp_levels " " eigenmlp_chosen)
message(STATUS "Variants of the core for ${eigenmlp_architecture}: ${eigenmlp_chosen} "
  "(EIGENMLP_ISA=${EIGENMLP_ISA}; there are ${eigenmlp_known})")
