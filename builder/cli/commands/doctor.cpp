// lithify doctor: what this machine allows, and how an image is found.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"
#include "oci/base/reference.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/sandbox_report.h"
#include "builder/command/foreign_platform.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// The processors whose commands an emulator runs here, and why they were not tried.
struct Emulated {
  std::vector<std::string> names;
  std::string problem;
};

Emulated emulated_here(Session& session, const SandboxProbe& probe) {
  if (probe.level == SandboxLevel::none) return {{}, "there is no sandbox"};
  try {
    return {emulated_architectures(probe, session.run_tools().work, session.stop()), ""};
  } catch (const oci::Error& error) {
    return {{}, error.what()};
  }
}

std::string emulated_line(const Emulated& emulated) {
  if (!emulated.problem.empty())
    return fmt::format("emulated  not tried: {}\n", visible(emulated.problem));
  if (emulated.names.empty())
    return fmt::format("emulated  no other processor: {}\n", emulation_cure());
  return fmt::format("emulated  {}\n", fmt::join(emulated.names, ", "));
}

int examine_machine(Session& session) {
  const SandboxProbe& probe = probe_sandbox();
  const Emulated emulated = emulated_here(session, probe);
  if (session.options().json) {
    session.print(oci::canonical_json({{"schema", "lithify.doctor/1"},
                                       {"sandbox", sandbox_document(probe)},
                                       {"emulated", emulated.names}}) +
                  "\n");
  } else {
    session.print(sandbox_report(probe) + emulated_line(emulated));
  }
  return probe.level == SandboxLevel::none ? exits::k_machine : exits::k_ok;
}

}  // namespace

int run_doctor(Session& session) {
  if (session.options().operands.empty()) return examine_machine(session);
  if (session.options().json) {
    throw oci::Error(oci::Errc::bad_input, "what an image is found by has no JSON")
        .add_hint(
            "write `lithify doctor --json` for what this machine can do, or leave "
            "--json out");
  }
  const oci::Reference reference =
      oci::Reference::parse(session.options().operands.front());
  RegistryAccess& access = session.registries();
  std::string text = fmt::format("image     {}\n", reference.str());
  for (const std::string& file : access.config().files())
    text += fmt::format("settings  {}\n", visible(file));
  for (const std::string& place : access.keychain().places())
    text += fmt::format("looks in  {}\n", visible(place));
  const auto known =
      access.keychain().find(reference.domain, reference.path, false, session.stop());
  text +=
      fmt::format("knows     {}\n", known ? visible(oci::credential_for_people(*known))
                                          : "no credentials for it");
  const oci::Endpoint primary = access.config().primary(reference.domain, reference.path);
  text += fmt::format("scope     repository:{}:pull; to push, pull,push\n", primary.path);
  const auto client = access.open(reference.name(), oci::Access::pull);
  std::optional<oci::Error> failure;
  std::optional<oci::Descriptor> root;
  try {
    root = client->resolve(reference.digest ? reference.digest->str() : reference.tag);
  } catch (const oci::Error& error) {
    failure = error;
  }
  for (const std::string& line : client->explain())
    text += visible(line) + "\n";
  if (root) {
    text +=
        fmt::format("found     {}\n          {}\n", root->digest.str(), root->media_type);
  } else if (!failure) {
    text += "found     nothing: there is no such image\n";
  }
  session.print(text);
  if (failure) throw oci::Error(*failure);
  return root ? exits::k_ok : exits::k_usage;
}

}  // namespace lithify
