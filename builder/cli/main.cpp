// lithify: the program. Reads the command line, runs one command, tells how it ended.
#include <array>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "oci/base/error.h"

#include "builder/cli/commands/commands.h"
#include "builder/cli/inside.h"
#include "builder/cli/interrupt.h"
#include "builder/cli/options.h"
#include "builder/cli/owner_process.h"
#include "builder/cli/process.h"
#include "builder/cli/wiring.h"
#include "builder/tell/error_document.h"

namespace lithify {
namespace {

struct Command {
  std::string_view name;
  int (*run)(Session& session);
  bool works = true;  // long enough to be interrupted in order
};

constexpr std::array k_commands = {
    Command{"build", run_build},
    Command{"lock", run_lock},
    Command{"check", run_check},
    Command{"plan", run_plan},
    Command{"test", run_test},
    Command{"push", run_push},
    Command{"pull", run_pull},
    Command{"copy", run_copy},
    Command{"tag", run_tag},
    Command{"join", run_join},
    Command{"login", run_login},
    Command{"logout", run_logout},
    Command{"doctor", run_doctor},
    Command{"key", run_key},
    Command{"sign", run_sign},
    Command{"attest", run_attest},
    Command{"verify", run_verify},
    Command{"sbom", run_sbom},
    Command{"inspect", run_inspect},
    Command{"diff", run_diff},
    Command{"reproduce", run_reproduce},
    Command{"cache", run_cache},
    Command{"shell", run_shell},
    Command{"schema", run_schema, false},
    Command{"version", run_version, false},
    Command{"help", run_help, false},
};

int run_stoppable(Session& session, const Command& command) {
  Interrupt interrupt([&session] { session.stopping(); });
  session.stop_with(interrupt.token());
  try {
    return command.run(session);
  } catch (const oci::Cancelled&) {
    session.tell("stopped; what was finished is kept\n");
    return interrupt.signal() != 0 ? 128 + interrupt.signal() : exits::k_interrupted;
  }
}

int dispatch(Session& session) {
  const Options& options = session.options();
  if (options.version) return run_version(session);
  if (options.help) return run_help(session);
  for (const Command& command : k_commands) {
    if (command.name != options.command) continue;
    return command.works ? run_stoppable(session, command) : command.run(session);
  }
  session.tell(help_text(""));
  return exits::k_usage;
}

int end_with(Session& session, const oci::Error& error) {
  session.tell(error, Problem::Severity::error);
  return exit_code(error);
}

// What the standard library throws where we do not: no memory, no thread.
oci::Error as_error(const std::exception& exception) {
  if (dynamic_cast<const std::bad_alloc*>(&exception) != nullptr) {
    return {oci::Errc::machine, "there is not enough memory"};
  }
  const auto* system = dynamic_cast<const std::system_error*>(&exception);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again) {
    return oci::Error(oci::Errc::machine, "no further thread can be started")
        .add_hint("raise the limit on processes: `ulimit -u`, or the container's");
  }
  return oci::Error(oci::Errc::internal, exception.what())
      .add_note("this is a mistake in lithify, not in what you asked for");
}

// Every failure ends here, told once.
template <class Body>
int told(Session& session, Body body) {
  try {
    return body();
  } catch (const Reported& reported) {
    return reported.exit;
  } catch (const oci::Error& error) {
    return end_with(session, error);
  } catch (const std::exception& exception) {
    return end_with(session, as_error(exception));
  }
}

int run(Session& session) {
  const int code = told(session, [&] { return dispatch(session); });
  const bool owes_document = session.options().json && !session.has_printed();
  if (code == exits::k_ok || !owes_document) return code;
  return told(session, [&] {
    session.print(error_document(session.errors(), code));
    return code;
  });
}

int start(std::vector<std::string> words) {
  hold_standard_streams();
  survive_failing_writes();
  share_memory_between_threads();
  if (is_owner_process(words)) return run_owner_process(words);
  const Environment environment = read_environment();
  Options options;
  try {
    const std::string inside = take_inside(words);
    options = parse_options(words);
    if (inside.empty()) enter_directory(options);  // else we have been there
    options.inside = inside;
    options.words = std::move(words);
  } catch (const oci::Error& error) {
    Session session({}, environment);
    session.tell(error, Problem::Severity::error);
    return exits::k_usage;
  }
  Session session(std::move(options), environment);
  return run(session);
}

}  // namespace
}  // namespace lithify

int main(int argc, char** argv) {
  return lithify::start(std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc));
}
