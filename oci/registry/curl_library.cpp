// curl_library: libcurl's functions, whose library is loaded when the first of them is
// called. It brings 30 others with it (LDAP, Kerberos, GnuTLS …), and loading them costs
// 5 ms: half of a build in which nothing changed, and which asks no server. So this
// program is linked with this file instead of the library.
// SPDX-License-Identifier: Apache-2.0
#include <cstdarg>

#include <curl/curl.h>

#include "oci/base/late_library.h"

namespace {

// The number is that of its ABI since 2006.
oci::LateLibrary curl("libcurl.so.4", "libcurl4", "it first speaks to a server");

// What is passed as `...` is as wide as a pointer: libcurl asks for long, curl_off_t and
// pointers alone.
static_assert(sizeof(long) == sizeof(void*) && sizeof(curl_off_t) == sizeof(void*));

}  // namespace

// The header has macros of these names that check types.
#undef curl_easy_setopt
#undef curl_easy_getinfo

extern "C" {

CURLcode curl_global_init(long flags) {
  static auto* const function = curl.function(&curl_global_init, "curl_global_init");
  return function(flags);
}

CURL* curl_easy_init() {
  static auto* const function = curl.function(&curl_easy_init, "curl_easy_init");
  return function();
}

void curl_easy_cleanup(CURL* handle) {
  static auto* const function = curl.function(&curl_easy_cleanup, "curl_easy_cleanup");
  function(handle);
}

void curl_easy_reset(CURL* handle) {
  static auto* const function = curl.function(&curl_easy_reset, "curl_easy_reset");
  function(handle);
}

CURLcode curl_easy_perform(CURL* handle) {
  static auto* const function = curl.function(&curl_easy_perform, "curl_easy_perform");
  return function(handle);
}

const char* curl_easy_strerror(CURLcode code) {
  static auto* const function = curl.function(&curl_easy_strerror, "curl_easy_strerror");
  return function(code);
}

CURLcode curl_easy_setopt(CURL* handle, CURLoption option, ...) {
  static auto* const function = curl.function(&curl_easy_setopt, "curl_easy_setopt");
  std::va_list values;
  va_start(values, option);
  void* const value = va_arg(values, void*);
  va_end(values);
  return function(handle, option, value);
}

CURLcode curl_easy_getinfo(CURL* handle, CURLINFO info, ...) {
  static auto* const function = curl.function(&curl_easy_getinfo, "curl_easy_getinfo");
  std::va_list values;
  va_start(values, info);
  void* const value = va_arg(values, void*);
  va_end(values);
  return function(handle, info, value);
}

curl_slist* curl_slist_append(curl_slist* list, const char* text) {
  static auto* const function = curl.function(&curl_slist_append, "curl_slist_append");
  return function(list, text);
}

void curl_slist_free_all(curl_slist* list) {
  static auto* const function =
      curl.function(&curl_slist_free_all, "curl_slist_free_all");
  function(list);
}

}  // extern "C"
