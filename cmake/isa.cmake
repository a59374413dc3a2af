# Variants of the core: the same sources, compiled for several instruction sets, each in a module of
# its own. Objects of two variants must never be linked together: inline functions keep one name
# under every flag, and the linker keeps one copy.
# Hardly any machine needs v2, so it is compiled for size: all variants together fit into 3 MB.
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
  include(CheckCXXSourceRuns)
  set(eigenmlp_levels v2)
  foreach(level v3 v4)
    check_cxx_source_runs(
      "int main() { return __builtin_cpu_supports(\"x86-64-${level}\") ? 0 : 1; }" runs_${level})
    if(runs_${level})
      set(eigenmlp_levels ${level})
    endif()
  endforeach()
  check_cxx_source_runs(
    "int main() { return __builtin_cpu_supports(\"avx512bf16\") ? 0 : 1; }" runs_bf16)
  if(runs_v4 AND runs_bf16)
    set(eigenmlp_levels amx)
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
