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

# What halves the time of a whole build twice: the outside headers that nearly every source includes
# are compiled once, and the sources of a module eight at a time. For that, names of unnamed namespaces
# are used once in a module. A build through ccache, which gains more by itself and compiles one source
# after a change of one, does without; so sources name what they use all the same. Chips see nothing of
# these headers. nlohmann_json is not one of them: whatever includes it compiles its literals, and with
# them its parser.
if(CMAKE_CXX_COMPILER_LAUNCHER)
  set(at_once OFF)
else()
  set(at_once ON)
endif()
option(SWITCHYARD_BUILD_AT_ONCE "Build faster as a whole, slower after a small change" ${at_once})

function(switchyard_precompiled_headers NAME)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBRARIES" ${ARGN})
  set(empty_source ${CMAKE_BINARY_DIR}/precompiled/${NAME}.cc)
  file(CONFIGURE OUTPUT ${empty_source} CONTENT "")
  add_library(${NAME} OBJECT EXCLUDE_FROM_ALL ${empty_source})
  target_link_libraries(${NAME} PRIVATE switchyard_flags ${ARG_LIBRARIES})
  target_precompile_headers(${NAME} PRIVATE ${ARG_HEADERS})
endfunction()

# Call this after the outside libraries were found.
macro(switchyard_precompile)
  set(headers <algorithm> <array> <chrono> <cmath> <cstdint> <cstring> <filesystem> <fmt/format.h>
              <fstream> <functional> <map> <memory> <optional> <span> <sstream>
              <string> <string_view> <unordered_map> <utility> <variant> <vector>)
  switchyard_precompiled_headers(switchyard_precompiled HEADERS ${headers} LIBRARIES fmt::fmt)
  if(SWITCHYARD_BUILD_AT_ONCE AND SWITCHYARD_TESTS)
    switchyard_precompiled_headers(
      switchyard_precompiled_for_tests
      HEADERS ${headers} <gmock/gmock.h> <gtest/gtest.h>
      LIBRARIES fmt::fmt GTest::gmock GTest::gtest switchyard_test_flags)
  endif()
endmacro()

function(switchyard_build_at_once TARGET PRECOMPILED)
  if(SWITCHYARD_BUILD_AT_ONCE)
    target_precompile_headers(${TARGET} REUSE_FROM ${PRECOMPILED})
    set_target_properties(${TARGET} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# What is tested is optimised; the tests themselves need not be, and build faster.
add_library(switchyard_test_flags INTERFACE)
target_compile_options(switchyard_test_flags INTERFACE -O0)

function(switchyard_module NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;USES;LIBRARIES;TESTS" ${ARGN})
  list(TRANSFORM ARG_USES PREPEND "switchyard_")
  set(target switchyard_${NAME})
  add_library(${target} STATIC ${ARG_SOURCES} ${ARG_HEADERS})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${target} PUBLIC switchyard_interface ${ARG_USES} ${ARG_LIBRARIES}
                                  PRIVATE switchyard_flags)
  switchyard_build_at_once(${target} switchyard_precompiled)
  # Proves that each header compiles on its own; what it hides by being precompiled,
  # tests/checks/includes_check.py sees.
  set(probes "")
  foreach(header IN LISTS ARG_HEADERS)
    string(MAKE_C_IDENTIFIER ${header} id)
    set(probe ${CMAKE_CURRENT_BINARY_DIR}/self_contained/${id}.cc)
    file(CONFIGURE OUTPUT ${probe} CONTENT "#include \"${NAME}/${header}\"\n" @ONLY)
    list(APPEND probes ${probe})
  endforeach()
  if(probes AND SWITCHYARD_TESTS AND NOT SWITCHYARD_SANITIZE)
    add_library(${target}_headers OBJECT EXCLUDE_FROM_ALL ${probes})
    target_link_libraries(${target}_headers PRIVATE ${target} switchyard_flags)
    target_precompile_headers(${target}_headers REUSE_FROM switchyard_precompiled)
    set_property(GLOBAL APPEND PROPERTY SWITCHYARD_HEADER_TARGETS ${target}_headers)
  endif()
  if(ARG_TESTS AND SWITCHYARD_TESTS)
    switchyard_program(${NAME}_test SOURCES ${ARG_TESTS} USES ${NAME}
                       LIBRARIES GTest::gmock GTest::gtest_main ${RAPIDCHECK_LIBRARY})
    target_include_directories(${NAME}_test PRIVATE ${CMAKE_SOURCE_DIR}) # tests/support
    # Precompiled headers serve only code that is compiled as they were, which is for a library.
    target_compile_options(${NAME}_test PRIVATE -fPIC)
    switchyard_build_at_once(${NAME}_test switchyard_precompiled_for_tests)
    gtest_discover_tests(${NAME}_test TEST_PREFIX "${NAME}/" DISCOVERY_MODE PRE_TEST
                         DISCOVERY_TIMEOUT 60 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
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
  if("GTest::gtest_main" IN_LIST ARG_LIBRARIES)
    target_link_libraries(${NAME} PRIVATE switchyard_test_flags)
  endif()
endfunction()
