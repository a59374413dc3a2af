# Builds that watch themselves: `nox -s sanitize` makes them and runs the tests in them.
set(EIGENMLP_SANITIZE "" CACHE STRING "Sanitizers to build with: address;undefined, or thread")

if(EIGENMLP_SANITIZE)
  list(JOIN EIGENMLP_SANITIZE "," sanitizers)
  # After Release's -O3 -DNDEBUG: half the time to compile, and the assertions of Eigen, pybind11
  # and the standard library as well. AddressSanitizer sees null pointers without a check at each.
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize=null,vptr -fno-omit-frame-pointer
    -O1 -g1 -UNDEBUG -D_GLIBCXX_ASSERTIONS)
  add_link_options(-fsanitize=${sanitizers})
endif()
