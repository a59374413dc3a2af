# Refuses compilers that cannot build the library, and says which can. Also a script, for the tests:
#   cmake -DCMAKE_CXX_COMPILER_ID=GNU -DCMAKE_CXX_COMPILER_VERSION=10.2 -P cmake/compilers.cmake
set(eigenmlp_oldest_GNU 11) # C++20; the levels of x86-64 by name
set(eigenmlp_oldest_Clang 14)
set(eigenmlp_oldest_AppleClang 15) # whose libc++ has make_unique_for_overwrite
set(eigenmlp_get_GNU "'apt install g++-12' and CXX=g++-12, or 'dnf install gcc-toolset-12'")
set(eigenmlp_get_Clang "'apt install clang-14 libomp-14-dev' and CXX=clang++-14")
set(eigenmlp_get_AppleClang "Xcode 15's command line tools: 'xcode-select --install'")

if(CMAKE_CXX_COMPILER_ID STREQUAL "MSVC")
  message(FATAL_ERROR "compiler: expected Clang, AppleClang or GCC, got MSVC "
    "${CMAKE_CXX_COMPILER_VERSION}, which has no vector extensions of GCC's kind: install Visual "
    "Studio's 'C++ Clang tools for Windows' and configure with -T ClangCL, or with -G Ninja and "
    "CXX=clang-cl")
elseif(NOT DEFINED eigenmlp_oldest_${CMAKE_CXX_COMPILER_ID})
  message(WARNING "compiler: ${CMAKE_CXX_COMPILER_ID} has not been tried; GCC 11, Clang 14 and "
    "AppleClang 15, and newer ones, have")
elseif(CMAKE_CXX_COMPILER_VERSION VERSION_LESS eigenmlp_oldest_${CMAKE_CXX_COMPILER_ID})
  message(FATAL_ERROR "compiler: expected ${CMAKE_CXX_COMPILER_ID} "
    "${eigenmlp_oldest_${CMAKE_CXX_COMPILER_ID}} or newer, got ${CMAKE_CXX_COMPILER_VERSION}: "
    "${eigenmlp_get_${CMAKE_CXX_COMPILER_ID}}")
endif()

# clang-cl takes MSVC's options, those of Clang's that it does not share behind `/clang:`; its -Wall
# are all warnings that there are.
if(CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  set(eigenmlp_gnu "/clang:")
  set(eigenmlp_all_warnings /W4)
  set(CMAKE_CXX_FLAGS_RELEASE "/O2 /clang:-O3 /DNDEBUG")
else()
  set(eigenmlp_gnu "")
  set(eigenmlp_all_warnings -Wall)
  set(CMAKE_CXX_FLAGS_RELEASE "-O3 -DNDEBUG")
endif()
