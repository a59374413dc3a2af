# Finds Eigen 3.4 or 5: given by the user, from PyPI (cmeel-eigen, whose prefix lies on the sys.path
# of the Python that builds, also under pip's build isolation), or the system's.
if(NOT TARGET Eigen3::Eigen)
  find_package(Python COMPONENTS Interpreter QUIET)
  set(cmeel_prefixes "")
  if(Python_EXECUTABLE)
    execute_process(
      COMMAND ${Python_EXECUTABLE} -c "import os, sys
print(';'.join(os.path.join(p, 'cmeel.prefix') for p in sys.path
               if os.path.isdir(os.path.join(p, 'cmeel.prefix'))))"
      OUTPUT_VARIABLE cmeel_prefixes OUTPUT_STRIP_TRAILING_WHITESPACE)
  endif()
  foreach(version 3.4 5) # neither says that it is compatible with the other, nor takes a range
    if(NOT TARGET Eigen3::Eigen)
      find_package(Eigen3 ${version} QUIET NO_MODULE HINTS ${cmeel_prefixes})
    endif()
  endforeach()
  if(NOT TARGET Eigen3::Eigen)
    message(FATAL_ERROR "Eigen 3.4 or 5 was not found: 'pip install cmeel-eigen', or "
      "'apt install libeigen3-dev', or set Eigen3_DIR")
  endif()
  get_target_property(eigen_headers Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
  message(STATUS "Eigen ${Eigen3_VERSION}: ${eigen_headers}")
endif()
