#include "oci/base/error.h"

#include <cerrno>
#include <system_error>

namespace oci {

Error& Error::add_context(std::string doing) {
  context_.push_back(std::move(doing));
  return *this;
}

Error& Error::add_note(std::string note) {
  notes_.push_back(std::move(note));
  return *this;
}

Error& Error::add_hint(std::string hint) {
  if (hint_.empty()) hint_ = std::move(hint);
  return *this;
}

Error& Error::at(Place place, std::string label) {
  if (place_.file.empty()) {
    place_ = std::move(place);
    label_ = std::move(label);
  }
  return *this;
}

Error& Error::also_at(Place place, std::string label) {
  other_places_.push_back({std::move(place), std::move(label)});
  return *this;
}

Error& Error::number(std::string id) {
  if (id_.empty()) id_ = std::move(id);
  return *this;
}

namespace {

Errc kind_of(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EACCES:
    case EPERM:
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
    case EINVAL:
    case EISDIR:
    case EEXIST:
      return Errc::bad_input;
    default:
      return Errc::machine;
  }
}

bool means_no_permission(int error_number) {
  return error_number == EACCES || error_number == EPERM;
}

// generic_category's texts come from the C locale unless setlocale was called; we never
// do.
std::string told(int error_number, const std::string& doing) {
  return doing + ": " + std::generic_category().message(error_number);
}

constexpr const char* k_larger_place =
    "free some space there, or choose a larger disk: LITHIFY_STORE for the store, "
    "--output "
    "for results";
constexpr const char* k_writable_place =
    "choose a writable place: LITHIFY_STORE for the store, --output for results";

}  // namespace

Error errno_error(int error_number, const std::string& doing) {
  Error error(kind_of(error_number), told(error_number, doing));
  if (error_number == ENOSPC || error_number == EDQUOT) {
    error.add_hint(k_larger_place);
  } else if (error_number == EFBIG) {
    error.add_hint("raise the limit on file sizes: see `ulimit -f`");
  } else if (error_number == EROFS) {
    error.add_hint(k_writable_place);
  }
  return error;
}

Error write_error(int error_number, const std::string& doing) {
  if (!means_no_permission(error_number)) return errno_error(error_number, doing);
  return Error(Errc::machine, told(error_number, doing)).add_hint(k_writable_place);
}

}  // namespace oci
