# The three verbs with which everything here is declared:
#   switchyard_module(NAME SOURCES … HEADERS … USES … LIBRARIES … TESTS …)  a folder of src/
#   switchyard_chip(NAME SOURCES … LIBRARIES …)                             a chip plugin, one .so
#   switchyard_program(NAME SOURCES … USES … LIBRARIES …)                   an executable
# USES names modules of this project, LIBRARIES anything from outside.

add_library(switchyard_flags INTERFACE)
target_compile_options(
  switchyard_flags
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
            $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Wold-style-cast>)
if(SWITCHYARD_SANITIZE)
  target_compile_options(switchyard_flags INTERFACE -fsanitize=${SWITCHYARD_SANITIZE}
                                                    -fno-omit-frame-pointer)
  target_link_options(switchyard_flags INTERFACE -fsanitize=${SWITCHYARD_SANITIZE})
  if(SWITCHYARD_SANITIZE MATCHES "undefined")
    target_compile_options(switchyard_flags INTERFACE -fno-sanitize-recover=undefined)
  endif()
endif()
if(SWITCHYARD_FUZZ)
  target_compile_options(switchyard_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# The one header that host and chips share.
add_library(switchyard_interface INTERFACE)
target_include_directories(switchyard_interface INTERFACE ${CMAKE_SOURCE_DIR}/include)

set(SWITCHYARD_CHIP_DIR ${CMAKE_BINARY_DIR}/chips)

function(switchyard_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;USES;LIBRARIES;TESTS" ${ARGN})
  list(TRANSFORM ARG_USES PREPEND "switchyard_")
  set(target switchyard_${NAME})
  add_library(${target} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC switchyard_interface ${ARG_USES} ${ARG_LIBRARIES}
                                  PRIVATE switchyard_flags)
  # Proves that each header compiles on its own.
  set(probes "")
  foreach(header IN LISTS ARG_HEADERS)
    string(MAKE_C_IDENTIFIER ${header} id)
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/self_contained/${id}.cc)
    file(CONFIGURE OUTPUT ${probe} CONTENT "#include \"${NAME}/${header}\"\n" @ONLY)
    list(APPEND probes ${probe})
  endforeach()
  if(probes AND SWITCHYARD_TESTS)
    add_library(${target}_headers OBJECT EXCLUDE_FROM_ALL ${probes})
    target_link_libraries(${target}_headers PRIVATE ${target} switchyard_flags)
    set_property(GLOBAL APPEND PROPERTY SWITCHYARD_HEADER_TARGETS ${target}_headers)
  endif()
  if(ARG_TESTS AND SWITCHYARD_TESTS)
    switchyard_program(${NAME}_test SOURCES ${ARG_TESTS} USES ${NAME}
                       LIBRARIES GTest::gmock GTest::gtest_main ${RAPIDCHECK_LIBRARY})
    gtest_discover_tests(${NAME}_test TEST_PREFIX "${NAME}/" DISCOVERY_MODE PRE_TEST
                         WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  endif()
endfunction()

function(switchyard_chip NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBRARIES" ${ARGN})
  set(target switchyard_chip_${NAME})
  add_library(${target} MODULE ${ARG_SOURCES})
  target_link_libraries(${target} PRIVATE switchyard_interface switchyard_flags ${ARG_LIBRARIES})
  set_target_properties(
    ${target}
    PROPERTIES OUTPUT_NAME ${NAME}
               PREFIX "switchyard_chip_"
               CXX_VISIBILITY_PRESET hidden
               C_VISIBILITY_PRESET hidden
               VISIBILITY_INLINES_HIDDEN ON
               LIBRARY_OUTPUT_DIRECTORY ${SWITCHYARD_CHIP_DIR})
  set_property(GLOBAL APPEND PROPERTY SWITCHYARD_CHIPS ${target})
endfunction()

function(switchyard_program NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
  list(TRANSFORM ARG_USES PREPEND "switchyard_")
  add_executable(${NAME} ${ARG_SOURCES})
  target_link_libraries(${NAME} PRIVATE ${ARG_USES} ${ARG_LIBRARIES} switchyard_flags)
endfunction()
