// lithify: the program. Reads the command line, runs one command, tells how it ended.
#include <array>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "oci/base/error.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/interrupt.h"
#include "builder/cli/options.h"
#include "builder/cli/wiring.h"

namespace lithify {
namespace {

struct Command {
  std::string_view name;
  int (*run)(Session& session);
};

constexpr std::array k_commands = {
    Command{"build", run_build},     Command{"lock", run_lock},
    Command{"check", run_check},     Command{"plan", run_plan},
    Command{"inspect", run_inspect}, Command{"cache", run_cache},
    Command{"schema", run_schema},   Command{"version", run_version},
    Command{"help", run_help},
};

int dispatch(Session& session) {
  const Options& options = session.options();
  if (options.version) return run_version(session);
  if (options.help) return run_help(session);
  for (const Command& command : k_commands) {
    if (command.name == options.command) return command.run(session);
  }
  session.tell(help_text(""));
  return exits::k_usage;
}

// Every failure ends here, told once.
int run(Session& session) {
  try {
    return dispatch(session);
  } catch (const Reported& reported) {
    return reported.exit;
  } catch (const oci::Cancelled&) {
    session.tell("stopped; what was finished is kept\n");
    return exits::k_interrupted;
  } catch (const oci::Error& error) {
    session.tell(error, Problem::Severity::error);
    return exit_code(error);
  } catch (const std::bad_alloc&) {
    session.tell(oci::Error(oci::Errc::machine, "there is not enough memory"),
                 Problem::Severity::error);
    return exits::k_machine;
  } catch (const std::exception& error) {
    oci::Error internal(oci::Errc::internal, error.what());
    internal.add_note("this is a mistake in lithify, not in what you asked for");
    session.tell(internal, Problem::Severity::error);
    return exits::k_internal;
  }
}

int start(const std::vector<std::string>& words) {
  survive_failing_writes();
  const Environment environment = read_environment();
  Options options;
  try {
    options = parse_options(words);
    enter_directory(options);
  } catch (const oci::Error& error) {
    Session session({}, environment);
    session.tell(error, Problem::Severity::error);
    return exits::k_usage;
  }
  Session session(std::move(options), environment);
  Interrupt interrupt([&session] {
    session.progress_note("stopping in order; press Ctrl-C again to stop at once");
  });
  session.stop_with(interrupt.token());
  const int code = run(session);
  const bool stopped = code == exits::k_interrupted && interrupt.signal() != 0;
  return stopped ? 128 + interrupt.signal() : code;
}

}  // namespace
}  // namespace lithify

int main(int argc, char** argv) {
  return lithify::start(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
