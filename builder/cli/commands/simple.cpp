// The commands that only print: schema, version and help.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/error.h"
#include "oci/base/json.h"
#include "oci/layer/layer_writer.h"

#include "builder/cli/commands/commands.h"
#include "builder/frontend/lithify_file.h"

namespace lithify {

int run_schema(Session& session) {
  session.print(json_schema());
  return exits::k_ok;
}

int run_version(Session& session) {
  const std::string zstd = oci::encoder_identity(oci::Compression::zstd);
  const std::string gzip = oci::encoder_identity(oci::Compression::gzip);
  if (session.options().json) {
    const nlohmann::json document = {{"schema", "lithify.version/1"},
                                     {"version", LITHIFY_VERSION},
                                     {"format", 1},
                                     {"encoders", {{"gzip", gzip}, {"zstd", zstd}}}};
    session.print(oci::canonical_json(document) + "\n");
  } else {
    session.print(
        fmt::format("lithify {}\nformat 1, {}, {}\n", LITHIFY_VERSION, zstd, gzip));
  }
  return exits::k_ok;
}

int run_help(Session& session) {
  const Options& options = session.options();
  if (options.json) {
    throw oci::Error(oci::Errc::bad_input, "help is for people and has no JSON")
        .add_hint("`lithify schema` describes build files to programs");
  }
  std::string about = options.command == "help" ? "" : options.command;
  if (about.empty() && !options.operands.empty()) about = options.operands.front();
  session.print(help_text(about));
  return exits::k_ok;
}

}  // namespace lithify
