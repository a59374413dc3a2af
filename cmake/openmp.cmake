# Finds OpenMP, or says what to install.
find_package(OpenMP QUIET COMPONENTS CXX)
if(NOT OpenMP_CXX_FOUND)
  string(REGEX MATCH "^[0-9]+" major "${CMAKE_CXX_COMPILER_VERSION}")
  if(APPLE OR CMAKE_CXX_COMPILER_ID STREQUAL "AppleClang")
    set(eigenmlp_get_openmp
        "'brew install libomp' and 'export OpenMP_ROOT=\"$(brew --prefix)/opt/libomp\"'")
  elseif(WIN32)
    set(eigenmlp_get_openmp "LLVM's installer, which has libomp, and OpenMP_ROOT set to its folder")
  elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(eigenmlp_get_openmp "'apt install libomp-${major}-dev', or 'dnf install libomp-devel'")
  else()
    set(eigenmlp_get_openmp
        "omp.h and libgomp, 'apt install libgcc-${major}-dev', or 'dnf install gcc libgomp'")
  endif()
  message(FATAL_ERROR "OpenMP was not found for ${CMAKE_CXX_COMPILER_ID} "
    "${CMAKE_CXX_COMPILER_VERSION}: ${eigenmlp_get_openmp}; then install again")
endif()
