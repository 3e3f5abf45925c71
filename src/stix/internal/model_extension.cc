// Predefined extensions of observables (STIX 2.1 §6), named by their key in `extensions`.
#include <array>

#include "stix/internal/model.h"

namespace entente::stix::internal {

void check_pebinary(Checker&, const Members&, const Frame*);

namespace {

constexpr std::array kOwn = {own_property()};

constexpr std::array kArchiveTable = {list(to("contains_refs", "file directory")).must(), text("comment")};
constinit const Shape kArchive{"archive-ext", "6.7.2", kArchiveTable};

constexpr std::array kStreamTable = {text("name").must(), hashes("hashes"), integer("size", 0)};
constinit const Shape kStream{"alternate-data-stream-type", "6.7.3", kStreamTable};
constexpr std::array kNtfsTable = {text("sid"), list(part("alternate_data_streams", kStream))};
constinit const Shape kNtfs{"ntfs-ext", "6.7.3", kNtfsTable, {}, kOwn};

constexpr std::array kPdfTable = {
    text("version"), boolean("is_optimized"), of(Kind::kTextDictionary, "document_info_dict"),
    text("pdfid0"),  text("pdfid1"),
};
constinit const Shape kPdf{"pdf-ext", "6.7.4", kPdfTable, {}, kOwn};

constexpr std::array kRasterTable = {
    integer("image_height"),
    integer("image_width"),
    integer("bits_per_pixel"),
    of(Kind::kMixedDictionary, "exif_tags"),
};
constinit const Shape kRaster{"raster-image-ext", "6.7.5", kRasterTable, {}, kOwn};

constexpr std::array kOptionalHeaderTable = {
    hexadecimal("magic_hex"),
    integer("major_linker_version"),
    integer("minor_linker_version"),
    integer("size_of_code", 0),
    integer("size_of_initialized_data", 0),
    integer("size_of_uninitialized_data", 0),
    integer("address_of_entry_point"),
    integer("base_of_code"),
    integer("base_of_data"),
    integer("image_base"),
    integer("section_alignment"),
    integer("file_alignment"),
    integer("major_os_version"),
    integer("minor_os_version"),
    integer("major_image_version"),
    integer("minor_image_version"),
    integer("major_subsystem_version"),
    integer("minor_subsystem_version"),
    hexadecimal("win32_version_value_hex"),
    integer("size_of_image", 0),
    integer("size_of_headers", 0),
    hexadecimal("checksum_hex"),
    hexadecimal("subsystem_hex"),
    hexadecimal("dll_characteristics_hex"),
    integer("size_of_stack_reserve", 0),
    integer("size_of_stack_commit", 0),
    integer("size_of_heap_reserve"),
    integer("size_of_heap_commit"),
    hexadecimal("loader_flags_hex"),
    integer("number_of_rva_and_sizes"),
    hashes("hashes"),
};
constinit const Shape kOptionalHeader{"windows-pe-optional-header-type", "6.7.6", kOptionalHeaderTable, {}, kOwn};

constexpr std::array kSectionTable = {text("name").must(), integer("size", 0), real("entropy", -1e300, 1e300),
                                      hashes("hashes")};
constinit const Shape kSection{"windows-pe-section-type", "6.7.6", kSectionTable};

constexpr std::array kPebinaryTable = {
    open("pe_type", kWindowsPebinaryType).must(),
    text("imphash"),
    hexadecimal("machine_hex"),
    integer("number_of_sections", 0),
    of(Kind::kSeconds, "time_date_stamp"),
    hexadecimal("pointer_to_symbol_table_hex"),
    integer("number_of_symbols", 0),
    integer("size_of_optional_header", 0),
    hexadecimal("characteristics_hex"),
    hashes("file_header_hashes"),
    part("optional_header", kOptionalHeader),
    list(part("sections", kSection)),
};
constexpr std::array kPebinaryChecks = {call(check_pebinary)};
constinit const Shape kPebinary{"windows-pebinary-ext", "6.7.6", kPebinaryTable, {}, kPebinaryChecks};

constexpr std::array kHttpTable = {
    text("request_method").must(),  text("request_value").must(),
    text("request_version"),        of(Kind::kListDictionary, "request_header"),
    integer("message_body_length"), to("message_body_data_ref", "artifact"),
};
constinit const Shape kHttp{"http-request-ext", "6.12.2", kHttpTable};

constexpr std::array kIcmpTable = {hexadecimal("icmp_type_hex").must(), hexadecimal("icmp_code_hex").must()};
constinit const Shape kIcmp{"icmp-ext", "6.12.3", kIcmpTable};

constexpr std::array kSocketTable = {
    closed("address_family", kAddressFamily).must(),
    boolean("is_blocking"),
    boolean("is_listening"),
    of(Kind::kNumberDictionary, "options"),
    closed("socket_type", kSocketType),
    integer("socket_descriptor", 0),
    integer("socket_handle"),
};
constinit const Shape kSocket{"socket-ext", "6.12.4", kSocketTable};

constexpr std::array kTcpTable = {hexadecimal("src_flags_hex"), hexadecimal("dst_flags_hex")};
constinit const Shape kTcp{"tcp-ext", "6.12.5", kTcpTable, {}, kOwn};

constexpr std::array kWindowsProcessTable = {
    boolean("aslr_enabled"),
    boolean("dep_enabled"),
    text("priority"),
    text("owner_sid"),
    text("window_title"),
    text("windows_title"),  // as the errata's prose spells it
    of(Kind::kDictionary, "startup_info"),
    closed("integrity_level", kIntegrityLevel),
};
constinit const Shape kWindowsProcess{"windows-process-ext", "6.13.2", kWindowsProcessTable, {}, kOwn};

constexpr std::array kWindowsServiceTable = {
    text("service_name"),
    list(text("descriptions")),
    text("display_name"),
    text("group_name"),
    closed("start_type", kServiceStartType),
    list(to("service_dll_refs", "file")),
    closed("service_type", kServiceType),
    closed("service_status", kServiceStatus),
};
constinit const Shape kWindowsService{"windows-service-ext", "6.13.3", kWindowsServiceTable, {}, kOwn};

constexpr std::array kUnixAccountTable = {integer("gid"), list(text("groups")), text("home_dir"), text("shell")};
constinit const Shape kUnixAccount{"unix-account-ext", "6.16.2", kUnixAccountTable, {}, kOwn};

constexpr std::array kExtensions = {
    PredefinedExtension{"archive-ext", "file", &kArchive},
    PredefinedExtension{"http-request-ext", "network-traffic", &kHttp},
    PredefinedExtension{"icmp-ext", "network-traffic", &kIcmp},
    PredefinedExtension{"ntfs-ext", "file", &kNtfs},
    PredefinedExtension{"pdf-ext", "file", &kPdf},
    PredefinedExtension{"raster-image-ext", "file", &kRaster},
    PredefinedExtension{"socket-ext", "network-traffic", &kSocket},
    PredefinedExtension{"tcp-ext", "network-traffic", &kTcp},
    PredefinedExtension{"unix-account-ext", "user-account", &kUnixAccount},
    PredefinedExtension{"windows-pebinary-ext", "file", &kPebinary},
    PredefinedExtension{"windows-process-ext", "process", &kWindowsProcess},
    PredefinedExtension{"windows-service-ext", "process", &kWindowsService},
};

}  // namespace

const PredefinedExtension* find_extension(std::string_view name) {
  for (const auto& e : kExtensions) {
    if (e.name == name) return &e;
  }
  return nullptr;
}

std::span<const PredefinedExtension> extensions() { return kExtensions; }

}  // namespace entente::stix::internal
