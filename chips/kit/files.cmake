# The kit's files, as this project builds them and as `switchyard new-chip` copies them.
set(SWITCHYARD_KIT_SOURCES dequantise.cc element_types.cc entry.cc objects.cc options.cc
                           program_check.cc temporary_placement.cc weights.cc)
set(SWITCHYARD_KIT_HEADERS
    call_guard.h dequantise.h device.h element_types.h half.h objects.h options.h program_check.h
    struct_array.h temporary_placement.h weights.h)
