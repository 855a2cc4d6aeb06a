#include "builder/cli/sandbox_report.h"

#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/sandbox/foreign_sandbox.h"

namespace lithify {

namespace {

std::string_view words_for(SandboxLevel level) {
  switch (level) {
    case SandboxLevel::none:
      return "no program can be run";
    case SandboxLevel::chroot:
      return "chroot, as root of a container";
    case SandboxLevel::single_id:
      return "a user namespace in which all belongs to root";
    case SandboxLevel::id_range:
      return "a user namespace with a range of ids";
    case SandboxLevel::root:
      return "a user namespace with a range of ids, made by root";
  }
  return "";
}

std::string line(std::string_view label, bool works, std::string_view yes,
                 std::string_view no) {
  return fmt::format("{:<10}{}\n", label, works ? yes : no);
}

}  // namespace

std::string sandbox_used(const std::string& runner) {
  return runner == runner_name(SandboxRunner::own)
             ? std::string(level_name(probe_sandbox().level))
             : runner;
}

std::string sandbox_summary(const SandboxProbe& probe) {
  return fmt::format("{}, {}", level_name(probe.level), words_for(probe.level));
}

std::string sandbox_report(const SandboxProbe& probe) {
  std::string text = fmt::format("sandbox   {}\n", sandbox_summary(probe));
  if (probe.level != SandboxLevel::none) {
    text += line("owners", probe.owners.uid.count > 1, "0 to 65535, as in the image",
                 "0:0 alone: a step that gives files to others fails");
    text += line("mounts", probe.mounts, "cache, secret, source and tmpfs",
                 "none: sources and caches are copied");
    text += line("overlay", probe.overlay, "yes", "no: the root of a step is copied");
    text += line("processes", probe.fresh_proc, "a /proc of the sandbox's own",
                 probe.mounts ? "the outer /proc shows through, masked and read-only"
                              : "no /proc");
    text += line("limits", probe.limits_all, "for all processes of a step together",
                 "for each process; memory is watched");
    text += line("sockets", probe.mounts || probe.scoped,
                 "no network, none of the host's names", "none at all");
  }
  for (const SandboxRemedy& remedy : probe.remedies)
    text += fmt::format("missing   {}\n          {}\n", remedy.missing, remedy.cure);
  return text;
}

nlohmann::json sandbox_document(const SandboxProbe& probe) {
  nlohmann::json missing = nlohmann::json::array();
  for (const SandboxRemedy& remedy : probe.remedies)
    missing.push_back({{"cure", remedy.cure}, {"what", remedy.missing}});
  return {{"level", level_name(probe.level)}, {"owners", probe.owners.uid.count},
          {"mounts", probe.mounts},           {"overlay", probe.overlay},
          {"own-proc", probe.fresh_proc},     {"limits-together", probe.limits_all},
          {"missing", std::move(missing)}};
}

}  // namespace lithify
