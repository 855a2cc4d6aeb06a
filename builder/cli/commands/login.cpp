// lithify login and logout: who we are to a registry.
#include <unistd.h>

#include <fmt/format.h>

#include "oci/base/reference.h"
#include "oci/registry/auth_file.h"
#include "oci/registry/http_get.h"

#include "builder/cli/ask.h"
#include "builder/cli/commands/commands.h"
#include "builder/cli/no_dumps.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// "https://ghcr.io/": "ghcr.io".
std::string host_of(const Session& session) {
  const Options& options = session.options();
  if (options.operands.empty()) {
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("`{}` needs a registry", options.command))
        .add_hint(fmt::format("as `lithify {} ghcr.io`", options.command));
  }
  std::string host = options.operands.front();
  for (const char* scheme : {"https://", "http://"}) {
    if (host.rfind(scheme, 0) == 0) host.erase(0, std::string(scheme).size());
  }
  host = host.substr(0, host.find('/'));
  // A reference checks what a host may be.
  return oci::Reference::parse(host + "/x").domain == host
             ? host
             : oci::Reference::parse(host + ":443/x").domain;
}

constexpr const char* k_no_terminal = "give it on standard input with `--password-stdin`";

oci::Secret read_password(Session& session) {
  if (session.options().password_stdin) return read_secret("a password");
  return ask_secret(session, "password", k_no_terminal);
}

std::string read_username(Session& session) {
  if (!session.options().username.empty()) return session.options().username;
  if (session.options().password_stdin || isatty(STDIN_FILENO) != 1) {
    throw oci::Error(oci::Errc::bad_input, "`login` needs a user name")
        .add_hint("give it with `--username NAME`");
  }
  return ask_line(session, "user name", "give it with `--username NAME`");
}

// What was typed, and nothing from files.
class TypedKeychain final : public oci::Keychain {
 public:
  explicit TypedKeychain(oci::Credential credential)
      : credential_(std::move(credential)) {}
  std::optional<oci::Credential> find(const std::string&, const std::string&, bool,
                                      std::stop_token) override {
    return credential_;
  }
  std::vector<std::string> places() const override { return {"standard input"}; }

 private:
  oci::Credential credential_;
};

// GET /v2/ is what every registry answers, with 200 to those it knows.
void check_login(Session& session, const std::string& host,
                 const oci::Credential& credential) {
  RegistryAccess& access = session.registries();
  TypedKeychain typed(credential);
  oci::HostPace pace;
  // Servers are known by repositories; one that no rule names stands for the host.
  const oci::Endpoint endpoint = access.config().primary(host, "login");
  oci::RegistryHttp http({access.registries().http(), typed, pace,
                          access.registries().settings().trusted_realms},
                         {endpoint}, {});
  oci::HttpRequest request;
  request.url = endpoint.origin.str() + "/v2/";
  request.max_bytes = 1 << 20;
  oci::NullSink nothing;
  std::optional<oci::Error> refusal;
  int status = 0;
  try {
    status = http.send(request, nothing, session.stop()).status;
  } catch (const oci::Error& error) {
    if (error.code() != oci::Errc::denied) throw;
    refusal = error;
  }
  if (status == 200) return;
  oci::Error error(oci::Errc::denied, host + " does not accept this login");
  if (refusal) {
    error.add_note(refusal->what());
    for (const std::string& note : refusal->notes())
      error.add_note(note);
  } else {
    error.add_note(fmt::format("it answers {}", status));
  }
  throw error.add_note("nothing was kept")
      .add_hint(
          "check the user name and the password; some registries want an access token "
          "as the password");
}

}  // namespace

int run_login(Session& session) {
  const std::string host = host_of(session);
  forbid_dumps();
  oci::Credential credential;
  credential.username = read_username(session);
  credential.secret = read_password(session);
  credential.origin = "standard input";
  if (credential.secret.empty()) {
    throw oci::Error(oci::Errc::bad_input, "an empty password is none");
  }
  check_login(session, host, credential);
  const auto places = keychain_places(session.environment(), session.options().auth_file);
  session.tell(oci::store_login(places, host, credential.username, credential.secret,
                                session.stop()) +
               "\n");
  return exits::k_ok;
}

int run_logout(Session& session) {
  const std::string host = host_of(session);
  const auto places = keychain_places(session.environment(), session.options().auth_file);
  const auto done = oci::remove_login(places, host, session.stop());
  session.tell(done ? *done + "\n" : fmt::format("there was no login for {}\n", host));
  return exits::k_ok;
}

}  // namespace lithify
