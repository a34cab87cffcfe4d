# What the library stands on: msgpack-c, zstd, xxhash, OpenMP, threads, libm; together the target ness::dependencies.
# Installed beside nessConfig.cmake too, for programs that link the static library.

find_package(OpenMP QUIET COMPONENTS C)
find_package(Threads QUIET)

# ness_library(zstd zstd.h zstd): the target ness::zstd from a header and the first of the library names that exists.
function(ness_library name header)
  find_path(NESS_${name}_INCLUDE ${header})
  find_library(NESS_${name}_LIBRARY NAMES ${ARGN})
  mark_as_advanced(NESS_${name}_INCLUDE NESS_${name}_LIBRARY)
  if(NESS_${name}_INCLUDE AND NESS_${name}_LIBRARY AND NOT TARGET ness::${name})
    add_library(ness::${name} UNKNOWN IMPORTED)
    set_target_properties(ness::${name} PROPERTIES
      IMPORTED_LOCATION ${NESS_${name}_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${NESS_${name}_INCLUDE})
  endif()
endfunction()

# msgpack-c has changed the name of its package and of its target twice.
foreach(package msgpack-c msgpackc msgpack)
  if(NOT TARGET ness::msgpack)
    find_package(${package} CONFIG QUIET)
    foreach(target msgpack-c msgpackc msgpack-c-static msgpackc-static)
      if(TARGET ${target} AND NOT TARGET ness::msgpack)
        add_library(ness::msgpack INTERFACE IMPORTED)
        target_link_libraries(ness::msgpack INTERFACE ${target})
      endif()
    endforeach()
  endif()
endforeach()
if(NOT TARGET ness::msgpack)
  ness_library(msgpack msgpack.h msgpack-c msgpackc)
endif()
ness_library(zstd zstd.h zstd)
ness_library(xxhash xxhash.h xxhash)

set(NESS_MISSING "")
foreach(target OpenMP::OpenMP_C Threads::Threads ness::msgpack ness::zstd ness::xxhash)
  if(NOT TARGET ${target})
    list(APPEND NESS_MISSING ${target})
  endif()
endforeach()
if(NOT NESS_MISSING AND NOT TARGET ness::dependencies)
  add_library(ness::dependencies INTERFACE IMPORTED)
  target_link_libraries(ness::dependencies INTERFACE
    ness::msgpack ness::zstd ness::xxhash OpenMP::OpenMP_C Threads::Threads m)
endif()

function(ness_dependencies_required)
  if(NESS_MISSING)
    list(JOIN NESS_MISSING ", " missing)
    set(packages "libmsgpack-dev libzstd-dev libxxhash-dev")
    if(CMAKE_C_COMPILER_ID MATCHES Clang)
      string(APPEND packages " libomp-dev")
    endif()
    message(FATAL_ERROR "Not found: ${missing}. On Debian or Ubuntu:\n"
      "  apt-get install -y --no-install-recommends ${packages}")
  endif()
endfunction()
