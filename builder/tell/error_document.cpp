#include "builder/tell/error_document.h"

#include <nlohmann/json.hpp>

namespace lithify {

namespace {

const char* name_of(oci::Errc code) {
  switch (code) {
    case oci::Errc::bad_input:
      return "bad-input";
    case oci::Errc::not_found:
      return "not-found";
    case oci::Errc::mismatch:
      return "mismatch";
    case oci::Errc::untrusted:
      return "untrusted";
    case oci::Errc::denied:
      return "denied";
    case oci::Errc::refused:
      return "refused";
    case oci::Errc::stale:
      return "stale";
    case oci::Errc::unavailable:
      return "unavailable";
    case oci::Errc::failed:
      return "failed";
    case oci::Errc::machine:
      return "machine";
    case oci::Errc::internal:
      break;
  }
  return "internal";
}

nlohmann::json described(const oci::Place& place) {
  return {{"file", place.file},
          {"line", place.line},
          {"column", place.column},
          {"length", place.length}};
}

}  // namespace

nlohmann::json described(const oci::Error& error) {
  nlohmann::json document = {{"kind", name_of(error.code())}, {"message", error.what()}};
  if (!error.id().empty()) document["code"] = error.id();
  if (!error.place().file.empty()) document["place"] = described(error.place());
  if (!error.label().empty()) document["label"] = error.label();
  for (const oci::PlaceNote& other : error.other_places()) {
    nlohmann::json place = described(other.place);
    place["label"] = other.label;
    document["places"].push_back(std::move(place));
  }
  if (!error.notes().empty()) document["notes"] = error.notes();
  if (!error.context().empty()) document["context"] = error.context();
  if (!error.hint().empty()) document["hint"] = error.hint();
  return document;
}

std::string error_document(const std::vector<oci::Error>& errors, int exit) {
  nlohmann::json document = {{"kind", "interrupted"}, {"message", "stopped"}};
  if (!errors.empty()) document = described(errors.front());
  for (std::size_t i = 1; i < errors.size(); ++i)
    document["further"].push_back(described(errors[i]));
  document["schema"] = "lithify.error/1";
  document["exit"] = exit;
  return json_line(document);
}

std::string json_line(const nlohmann::json& document) {
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace lithify
