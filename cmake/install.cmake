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

# The program writes its own pages and completions, from the table that its parser reads.
set(page_commands check info run resume solve scan analyze report test dump convert bench version)
set(page_files ness.1)
set(page_recipes COMMAND sh -c "$<TARGET_FILE:ness_program> help --man > ness.1")
foreach(command IN LISTS page_commands)
  list(APPEND page_files ness-${command}.1)
  list(APPEND page_recipes COMMAND sh -c "$<TARGET_FILE:ness_program> help --man ${command} > ness-${command}.1")
endforeach()
list(APPEND page_recipes COMMAND sh -c "$<TARGET_FILE:ness_program> help --completion bash > ness.bash")
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/pages)
add_custom_command(OUTPUT pages/made ${page_recipes} COMMAND ${CMAKE_COMMAND} -E touch made
  DEPENDS ness_program WORKING_DIRECTORY ${PROJECT_BINARY_DIR}/pages VERBATIM COMMENT "Man pages")
add_custom_target(ness_pages ALL DEPENDS pages/made)
list(TRANSFORM page_files PREPEND ${PROJECT_BINARY_DIR}/pages/)
install(FILES ${page_files} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${PROJECT_BINARY_DIR}/pages/ness.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME ness)
