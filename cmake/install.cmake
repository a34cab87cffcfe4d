# Headers, libraries, the CMake package, ness.pc and the man pages.
#   find_package(ness)                    ness::ness, which needs nothing else
#   find_package(ness COMPONENTS static)  ness::ness_static and what it stands on
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ness)

install(FILES ${ness_headers} ${PROJECT_BINARY_DIR}/include/ness/version.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ness)
install(TARGETS ness_shared EXPORT nessTargets)
install(TARGETS ness_static EXPORT nessStaticTargets)
install(EXPORT nessTargets NAMESPACE ness:: DESTINATION ${package_folder})
install(EXPORT nessStaticTargets NAMESPACE ness:: DESTINATION ${package_folder})

configure_package_config_file(cmake/nessConfig.cmake.in nessConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(nessConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/nessConfig.cmake ${PROJECT_BINARY_DIR}/nessConfigVersion.cmake cmake/dependencies.cmake
  DESTINATION ${package_folder})

file(RELATIVE_PATH pc_to_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX}) # so that the tree may be moved
set(pc_msgpack -lmsgpackc)
if(TARGET msgpack-c OR TARGET msgpack-c-static OR NESS_msgpack_LIBRARY MATCHES "msgpack-c")
  set(pc_msgpack -lmsgpack-c)
endif()
configure_file(cmake/ness.pc.in ness.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ness.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB man_pages CONFIGURE_DEPENDS docs/man/*.1 docs/man/*.5 docs/man/*.7)
foreach(page IN LISTS man_pages)
  cmake_path(GET page EXTENSION LAST_ONLY section)
  string(SUBSTRING ${section} 1 1 section)
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
