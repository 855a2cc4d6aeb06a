// codes: the stable numbers of this room's errors and warnings.
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace lithify::code {

// The text of the file.
inline constexpr const char* k_encoding = "L0001";
inline constexpr const char* k_character = "L0002";
inline constexpr const char* k_too_large = "L0003";
inline constexpr const char* k_syntax = "L0004";
inline constexpr const char* k_anchor = "L0005";
inline constexpr const char* k_merge_key = "L0006";
inline constexpr const char* k_tag = "L0007";
inline constexpr const char* k_documents = "L0008";
inline constexpr const char* k_directive = "L0009";
inline constexpr const char* k_complex_key = "L0010";
inline constexpr const char* k_tab = "L0011";
inline constexpr const char* k_depth = "L0012";
inline constexpr const char* k_duplicate = "L0013";

// Its shape.
inline constexpr const char* k_wrong_type = "L0020";
inline constexpr const char* k_unknown_field = "L0021";
inline constexpr const char* k_missing_field = "L0022";
inline constexpr const char* k_not_built = "L0023";
inline constexpr const char* k_bad_value = "L0024";
inline constexpr const char* k_one_of = "L0025";
inline constexpr const char* k_misplaced_field = "L0026";
inline constexpr const char* k_version = "L0027";

// $(…) and arguments.
inline constexpr const char* k_bad_reference = "L0030";
inline constexpr const char* k_undefined = "L0031";
inline constexpr const char* k_bad_argument = "L0032";
inline constexpr const char* k_missing_argument = "L0033";
inline constexpr const char* k_not_expanded = "L0034";

// What it means.
inline constexpr const char* k_unknown_source = "L0101";
inline constexpr const char* k_unknown_image = "L0102";
inline constexpr const char* k_cycle = "L0103";
inline constexpr const char* k_unknown_owner = "L0104";
inline constexpr const char* k_wrong_source = "L0105";
inline constexpr const char* k_one_image_kind = "L0106";
inline constexpr const char* k_to_or_into = "L0107";
inline constexpr const char* k_output_clash = "L0108";
inline constexpr const char* k_platform = "L0109";
inline constexpr const char* k_below_file = "L0110";
inline constexpr const char* k_push_clash = "L0111";
inline constexpr const char* k_mount = "L0112";
inline constexpr const char* k_outputs = "L0113";
inline constexpr const char* k_command = "L0114";
inline constexpr const char* k_test = "L0115";

// Warnings.
inline constexpr const char* k_same_path = "L0150";
inline constexpr const char* k_unused_source = "L0151";
inline constexpr const char* k_unused_argument = "L0152";
inline constexpr const char* k_layer_copy = "L0153";
inline constexpr const char* k_plain_http = "L0154";
inline constexpr const char* k_unused_stage = "L0155";

}  // namespace lithify::code
