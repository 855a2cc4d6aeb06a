// archive_library: libarchive's functions, whose library is loaded when the first of them
// is called. It brings nine others with it (libxml2, ICU, nettle …), which cost 1.5 ms of
// each start, and a build in which nothing changed opens no archive. So this program is
// linked with this file instead of the library.
// SPDX-License-Identifier: Apache-2.0
#include <cstdarg>
#include <cstdio>

#include <archive.h>
#include <archive_entry.h>

#include "oci/base/late_library.h"

namespace {

// The number is that of its ABI since 2013.
oci::LateLibrary library("libarchive.so.13", "libarchive13", "it first opens an archive");

}  // namespace

extern "C" {

archive* archive_read_new() {
  static auto* const function = library.function(&archive_read_new, "archive_read_new");
  return function();
}

int archive_read_free(archive* a) {
  static auto* const function = library.function(&archive_read_free, "archive_read_free");
  return function(a);
}

int archive_read_support_filter_bzip2(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_bzip2,
                                                 "archive_read_support_filter_bzip2");
  return function(a);
}

int archive_read_support_filter_compress(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_compress,
                                                 "archive_read_support_filter_compress");
  return function(a);
}

int archive_read_support_filter_gzip(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_gzip,
                                                 "archive_read_support_filter_gzip");
  return function(a);
}

int archive_read_support_filter_lz4(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_lz4,
                                                 "archive_read_support_filter_lz4");
  return function(a);
}

int archive_read_support_filter_lzip(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_lzip,
                                                 "archive_read_support_filter_lzip");
  return function(a);
}

int archive_read_support_filter_lzma(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_lzma,
                                                 "archive_read_support_filter_lzma");
  return function(a);
}

int archive_read_support_filter_xz(archive* a) {
  static auto* const function =
      library.function(&archive_read_support_filter_xz, "archive_read_support_filter_xz");
  return function(a);
}

int archive_read_support_filter_zstd(archive* a) {
  static auto* const function = library.function(&archive_read_support_filter_zstd,
                                                 "archive_read_support_filter_zstd");
  return function(a);
}

int archive_read_support_format_ar(archive* a) {
  static auto* const function =
      library.function(&archive_read_support_format_ar, "archive_read_support_format_ar");
  return function(a);
}

int archive_read_support_format_empty(archive* a) {
  static auto* const function = library.function(&archive_read_support_format_empty,
                                                 "archive_read_support_format_empty");
  return function(a);
}

int archive_read_support_format_raw(archive* a) {
  static auto* const function = library.function(&archive_read_support_format_raw,
                                                 "archive_read_support_format_raw");
  return function(a);
}

int archive_read_support_format_zip_seekable(archive* a) {
  static auto* const function =
      library.function(&archive_read_support_format_zip_seekable,
                       "archive_read_support_format_zip_seekable");
  return function(a);
}

int archive_read_open(archive* a, void* data, archive_open_callback* open,
                      archive_read_callback* read, archive_close_callback* close) {
  static auto* const function = library.function(&archive_read_open, "archive_read_open");
  return function(a, data, open, read, close);
}

int archive_read_open_fd(archive* a, int fd, std::size_t block) {
  static auto* const function =
      library.function(&archive_read_open_fd, "archive_read_open_fd");
  return function(a, fd, block);
}

int archive_read_next_header(archive* a, archive_entry** entry) {
  static auto* const function =
      library.function(&archive_read_next_header, "archive_read_next_header");
  return function(a, entry);
}

la_ssize_t archive_read_data(archive* a, void* into, std::size_t size) {
  static auto* const function = library.function(&archive_read_data, "archive_read_data");
  return function(a, into, size);
}

int archive_filter_count(archive* a) {
  static auto* const function =
      library.function(&archive_filter_count, "archive_filter_count");
  return function(a);
}

const char* archive_error_string(archive* a) {
  static auto* const function =
      library.function(&archive_error_string, "archive_error_string");
  return function(a);
}

__LA_MODE_T archive_entry_filetype(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_filetype, "archive_entry_filetype");
  return function(entry);
}

la_int64_t archive_entry_gid(archive_entry* entry) {
  static auto* const function = library.function(&archive_entry_gid, "archive_entry_gid");
  return function(entry);
}

const char* archive_entry_hardlink(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_hardlink, "archive_entry_hardlink");
  return function(entry);
}

time_t archive_entry_mtime(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_mtime, "archive_entry_mtime");
  return function(entry);
}

const char* archive_entry_pathname(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_pathname, "archive_entry_pathname");
  return function(entry);
}

__LA_MODE_T archive_entry_perm(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_perm, "archive_entry_perm");
  return function(entry);
}

dev_t archive_entry_rdevmajor(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_rdevmajor, "archive_entry_rdevmajor");
  return function(entry);
}

dev_t archive_entry_rdevminor(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_rdevminor, "archive_entry_rdevminor");
  return function(entry);
}

la_int64_t archive_entry_size(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_size, "archive_entry_size");
  return function(entry);
}

int archive_entry_size_is_set(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_size_is_set, "archive_entry_size_is_set");
  return function(entry);
}

const char* archive_entry_symlink(archive_entry* entry) {
  static auto* const function =
      library.function(&archive_entry_symlink, "archive_entry_symlink");
  return function(entry);
}

la_int64_t archive_entry_uid(archive_entry* entry) {
  static auto* const function = library.function(&archive_entry_uid, "archive_entry_uid");
  return function(entry);
}

// The text is made here: what is passed as `...` cannot be handed on.
void archive_set_error(archive* a, int number, const char* format, ...) {
  static auto* const function = library.function(&archive_set_error, "archive_set_error");
  char text[256];
  std::va_list values;
  va_start(values, format);
  std::vsnprintf(text, sizeof text, format, values);
  va_end(values);
  function(a, number, "%s", text);
}

}  // extern "C"
