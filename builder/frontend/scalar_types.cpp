#include <fmt/format.h>

#include "builder/frontend/schema.h"
#include "builder/frontend/values.h"
#include "builder/plan/glob.h"

namespace lithify {

namespace {

struct TypeRule {
  std::string_view expectation;
  bool (*fits)(std::string_view);
};

template <auto parse>
bool parses(std::string_view text) {
  return parse(text).has_value();
}

bool anything(std::string_view) {
  return true;
}

TypeRule rule(Type type) {
  switch (type) {
    case Type::text:
      return {"text", anything};
    case Type::some_text:
      return {"text", [](std::string_view text) { return !text.empty(); }};
    case Type::boolean:
      return {"`true` or `false`", parses<parse_boolean>};
    case Type::integer:
      return {"a whole number", parses<parse_integer>};
    case Type::mode:
      return {"an octal mode such as 0644", parses<parse_mode>};
    case Type::owner:
      return {"an owner such as `0:0` or `app`", is_owner};
    case Type::account:
      return {"a user or group name", is_account_name};
    case Type::group:
      return {"a group id or a declared group's name", [](std::string_view text) {
                return parse_id(text).has_value() || is_account_name(text);
              }};
    case Type::id:
      return {"a user or group id", parses<parse_id>};
    case Type::image_path:
      return {"an absolute path without `..`", parses<parse_image_path>};
    case Type::image_file:
      return {"an absolute path without `..`", [](std::string_view text) {
                const auto path = parse_image_path(text);
                return path && path != "/";
              }};
    case Type::image_glob:
      return {"an absolute pattern such as `/var/log/**`", is_image_glob};
    case Type::source_path:
      return {"a path inside the source, without `..`", parses<parse_source_path>};
    case Type::glob:
      return {"a relative pattern such as `src/**`", is_glob};
    case Type::package:
      return {"a package: `name`, `name=version` or `name:arch`", parses<parse_package>};
    case Type::identifier:
      return {"a name of letters, digits, `-`, `_` and `.`", is_identifier};
    case Type::image_name:
      return {"a name of lower-case letters, digits and single `-`, `_` or `.` between",
              is_image_name};
    case Type::duration:
      return {"a duration such as `10s` or `1m30s`", parses<parse_duration>};
    case Type::port:
      return {"a port such as `80` or `53/udp`", parses<parse_port>};
    case Type::platform:
      return {"a platform such as `linux/amd64`", parses<oci::Platform::parse>};
    case Type::sha256:
      return {"64 lower-case hex digits", parses<parse_sha256>};
    case Type::epoch:
      return {"`git`, `zero`, seconds since 1970 or a date such as `2026-11-01`",
              parses<parse_epoch>};
    case Type::url:
      return {"an http or https URL", is_url};
    case Type::signal:
      return {"a signal such as `SIGTERM`", is_signal};
    case Type::variable:
      return {"the name of a variable, without `=`", is_variable_name};
    case Type::xattr:
      return {"a name such as `user.note` or `security.capability`", is_xattr_name};
    case Type::image_ref:
      return {"an image such as `docker.io/library/debian:12`", parses<parse_image_ref>};
    case Type::repository:
      return {"a repository such as `registry.example/shop/cart`",
              parses<parse_repository>};
    case Type::image_tag:
      return {"a tag: letters, digits, `_`, and `.` and `-` behind the first",
              oci::Reference::is_tag};
    case Type::sbom_file:
      return {"a file that ends with `.spdx.json` or `.cdx.json`",
              [](std::string_view text) {
                return text.ends_with(".spdx.json") || text.ends_with(".cdx.json");
              }};
    case Type::size:
      return {"a size such as `512MiB` or `2GB`", parses<parse_size>};
  }
  return {"text", anything};
}

// Some mistakes deserve their own words.
std::string reason_of_path(std::string_view text) {
  if (has_control(text)) return "control characters are refused";
  if (text.size() > k_max_path) return fmt::format("longer than {} bytes", k_max_path);
  if (fmt::format("/{}/", text).find("/../") != std::string::npos)
    return "`..` is refused";
  if (text.starts_with('!'))
    return "patterns are not negated; use `include` and `exclude`";
  return "";
}

std::string reason_in_image(std::string_view text) {
  if (text[0] != '/') return fmt::format("paths in an image are absolute: `/{}`", text);
  if (text.find("/.wh.") != std::string_view::npos)
    return "in a layer, a name that begins with `.wh.` removes a file";
  if (parse_image_path(text)) return "this is the root directory";
  return fmt::format("a name is longer than {} bytes", k_max_component);
}

std::string reason_of_pattern(std::string_view text) {
  const auto why = Glob::refusal(text);
  return why ? fmt::format("the pattern {}", *why) : "";
}

std::string reason_of_reference(Type type, std::string_view text) {
  std::string reason = reference_refusal(text);
  if (!reason.empty()) return reason;
  if (type == Type::repository)
    return "`tags` says the tags, and the digest is what is built";
  return fmt::format("it names no tag: say `{}:latest`, another tag or a digest", text);
}

std::string special_case(Type type, std::string_view text) {
  if (text.empty()) return "";
  const bool in_image = type == Type::image_path || type == Type::image_file;
  const bool pattern =
      type == Type::source_path || type == Type::glob || type == Type::image_glob;
  if (type == Type::image_ref || type == Type::repository)
    return reason_of_reference(type, text);
  std::string reason = in_image || pattern ? reason_of_path(text) : "";
  if (reason.empty() && in_image) reason = reason_in_image(text);
  if (reason.empty() && pattern) reason = reason_of_pattern(text);
  if (!reason.empty()) return reason;
  if (type == Type::xattr && text.starts_with("security."))
    return "of `security.*` a layer has `security.capability` alone";
  if (type == Type::xattr && text.find(".overlay.") != std::string_view::npos)
    return "engines use `overlay` for themselves";
  if (type == Type::url && text.find('@') != std::string_view::npos)
    return "an address holds no user and no password";
  if (type == Type::duration && parse_integer(text))
    return fmt::format("of what? `{0}s` is seconds, `{0}m` minutes, `{0}h` hours", text);
  if (type == Type::port && text.find('-') != std::string_view::npos)
    return "ranges of ports are refused; list each port";
  return "";
}

}  // namespace

std::string_view expectation(Type type) {
  return rule(type).expectation;
}

std::optional<std::string> misfit(Type type, std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return "NUL is refused";
  const TypeRule found = rule(type);
  if (found.fits(text)) return std::nullopt;
  const std::string special = special_case(type, text);
  return special.empty() ? fmt::format("expected {}", found.expectation) : special;
}

}  // namespace lithify
