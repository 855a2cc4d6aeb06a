// authorizer: what was learned about one server, and what follows from each refusal.
#include "oci/registry/authorizer.h"

#include <algorithm>
#include <map>
#include <span>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/challenge.h"
#include "oci/registry/realm_policy.h"
#include "oci/registry/server_error.h"
#include "oci/registry/token_request.h"
#include "oci/registry/token_scope.h"
#include "oci/registry/turn.h"

namespace oci {

namespace {

using TimePoint = std::chrono::steady_clock::time_point;
using Kind = Credential::Kind;

// A secret younger than this that is refused is refused for good; an older one may have
// been revoked, or have ended early.
constexpr std::chrono::seconds k_young{30};
// How often a server may change its mind about what it wants.
constexpr int k_max_changes = 4;

std::vector<Challenge> challenges_of(const HttpResponse& answer) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : answer.headers) {
    if (name == "www-authenticate") lines.push_back(value);
  }
  return parse_challenges(lines);
}

const Challenge* find_scheme(const std::vector<Challenge>& challenges,
                             std::string_view scheme) {
  const auto found =
      std::find_if(challenges.begin(), challenges.end(), [&](const Challenge& c) {
        return c.scheme == scheme && (scheme == "basic" || !c.parameter("realm").empty());
      });
  return found == challenges.end() ? nullptr : &*found;
}

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  std::string all;
  for (const std::string& text : texts)
    all.append(all.empty() ? "" : separator).append(text);
  return all;
}

// What is known for one set of scopes.
struct Grant {
  Scopes further = {};      // that the server asked for beyond those
  bool only_first = false;  // the token server refuses the rest
  int changes = 0;
  Secret token = {};  // empty: none yet
  TimePoint made = {};
  std::chrono::seconds lifetime{0};

  bool is_fresh(TimePoint now, std::chrono::seconds needed) const {
    if (token.empty()) return false;
    const std::chrono::seconds early = std::min(lifetime / 10, k_young);
    if (now >= made + lifetime - early) return false;
    return now + needed <= made + lifetime || now < made + lifetime / 2;
  }
};

}  // namespace

// One thread at a time is in here, network requests included: so a token is fetched once,
// and whoever waited finds it.
struct Authorizer::State {
  enum class Mode { unknown, basic, bearer };
  struct Refusal {
    std::string key;
    TimePoint at;
    Error error;
  };

  State(HttpClient& client, Keychain& keychain, AuthorizerSettings asked)
      : http(client), keys(keychain), settings(std::move(asked)) {}

  HttpClient& http;
  Keychain& keys;
  const AuthorizerSettings settings;
  mutable Turn turn;

  Mode mode = Mode::unknown;
  bool is_private = false;  // the server answers from an address that is not public
  bool tried_basic = false;
  std::optional<Realm> realm;
  std::string realm_text;  // as the server wrote it
  std::string service;
  bool looked = false;
  std::optional<Credential> credential;
  std::optional<TimePoint> looked_again;
  std::map<std::string, Grant> grants;
  std::optional<Refusal> refusal;  // the latest of the token server

  TimePoint now() const {
    return settings.clock ? settings.clock() : std::chrono::steady_clock::now();
  }
  std::string host() const {
    const bool usual = settings.origin.port == (settings.origin.is_secure() ? 443 : 80);
    return usual ? settings.origin.host
                 : fmt::format("{}:{}", settings.origin.host, settings.origin.port);
  }
  bool has(Kind kind) const { return credential && credential->kind == kind; }
  // False if the token server must not see the secret there is.
  bool may_show() const {
    return !realm || realm->gets_secrets || mode == Mode::basic ||
           has(Kind::registry_token);
  }
  std::string credential_used() const;
  Error with_login_hint(Error error) const;

  // What header() would give without asking anyone.
  std::optional<Secret> current(const Scopes& scopes);
  Secret bearer(const Scopes& scopes, std::chrono::seconds needed, TimePoint entered,
                std::stop_token stop);
  void fetch(Grant& grant, const Scopes& scopes, std::stop_token stop);
  TokenAnswer ask(const Scopes& scopes, std::stop_token stop);
  TokenAnswer ask_for_less(Grant& grant, const Scopes& asked, std::stop_token stop);
  Error token_refused(const HttpResponse& answer) const;

  void look(std::stop_token stop);
  bool look_again(std::stop_token stop);

  HttpResponse ping(std::stop_token stop);
  void learn(const std::vector<Challenge>& challenges, const Scopes& scopes,
             std::stop_token stop);
  void learn_basic(std::stop_token stop);
  void adopt_realm(const Challenge& challenge);
  bool grow(Grant& grant, const Scopes& scopes, const Challenge& challenge);
  bool adopt_change(Grant& grant, const Scopes& scopes, const Challenge& challenge);
  void secret_refused(std::stop_token stop);
  void token_not_enough(const HttpResponse& answer,
                        const std::vector<Challenge>& challenges, const Scopes& scopes,
                        bool worked);
  Error not_allowed(const HttpResponse& answer, const Scopes& scopes) const;
};

std::string Authorizer::State::credential_used() const {
  if (credential && !may_show()) return "an anonymous token";
  if (credential) return credential_for_people(*credential);
  const std::vector<std::string> places = keys.places();
  if (places.empty()) return "no credentials";
  return fmt::format("no credentials (looked in {})", joined(places, ", "));
}

Error Authorizer::State::with_login_hint(Error error) const {
  error.add_hint("lithify login " + settings.domain);
  return error;
}

std::optional<Secret> Authorizer::State::current(const Scopes& scopes) {
  if (mode == Mode::unknown) return std::nullopt;
  if (mode == Mode::basic) return basic_header(credential->username, credential->secret);
  if (has(Kind::registry_token)) return Secret("Bearer " + credential->secret.reveal());
  const Grant& grant = grants[scope_key(scopes)];
  if (grant.token.empty()) return std::nullopt;
  return Secret("Bearer " + grant.token.reveal());
}

// Those who waited while a token was refused share the refusal: repeating it may lock the
// account.
Secret Authorizer::State::bearer(const Scopes& scopes, std::chrono::seconds needed,
                                 TimePoint entered, std::stop_token stop) {
  const std::string key = scope_key(scopes);
  Grant& grant = grants[key];
  if (!grant.is_fresh(now(), needed)) {
    if (refusal && refusal->key == key && refusal->at > entered)
      throw Error(refusal->error);
    try {
      fetch(grant, scopes, std::move(stop));
    } catch (const Error& e) {
      refusal = Refusal{key, now(), e};
      throw;
    }
  }
  return Secret("Bearer " + grant.token.reveal());
}

TokenAnswer Authorizer::State::ask(const Scopes& scopes, std::stop_token stop) {
  TokenRequest request;
  request.url = realm->url;
  request.service = service;
  request.scopes = scopes;
  if (realm->gets_secrets) request.credential = credential;
  if (realm->origin.host == settings.origin.host) request.tls = settings.tls;
  // Else a public registry could make us talk to this network's servers.
  request.public_only = !is_private && !realm->named_by_user;
  return request_token(http, request, std::move(stop));
}

TokenAnswer Authorizer::State::ask_for_less(Grant& grant, const Scopes& asked,
                                            std::stop_token stop) {
  TokenAnswer answer = ask(asked, stop);
  if (answer.token || asked.size() < 2) return answer;
  TokenAnswer less = ask({asked.front()}, stop);
  if (!less.token) return answer;
  grant.only_first = true;
  return less;
}

void Authorizer::State::fetch(Grant& grant, const Scopes& scopes, std::stop_token stop) {
  Scopes asked = scopes;
  asked.insert(asked.end(), grant.further.begin(), grant.further.end());
  asked = merged_scopes(asked);
  if (grant.only_first && !asked.empty()) asked.resize(1);
  const TimePoint start = now();
  TokenAnswer answer = ask_for_less(grant, asked, stop);
  if (!answer.token && realm->gets_secrets && credential && look_again(stop)) {
    answer = ask_for_less(grant, asked, stop);
  }
  if (!answer.token) throw token_refused(answer.refusal);
  grant.token = std::move(answer.token->text);
  grant.lifetime = answer.token->lifetime;
  grant.made = start;
}

Error Authorizer::State::token_refused(const HttpResponse& answer) const {
  const Error cause = server_error(answer, realm->url, "asking for a token");
  Error error(Errc::denied, cause.what());
  if (credential && realm->gets_secrets && answer.status == 401) {
    error = Error(Errc::denied,
                  fmt::format("{} was refused by {}", credential_for_people(*credential),
                              harmless(realm->origin.str(), 200)));
    error.add_note(cause.what());
  } else if (credential && !realm->gets_secrets) {
    return not_allowed(answer, {});
  } else {
    error.add_note("asked with " + credential_used());
  }
  for (const std::string& note : cause.notes())
    error.add_note(note);
  return with_login_hint(std::move(error));
}

void Authorizer::State::look(std::stop_token stop) {
  if (looked) return;
  credential = keys.find(settings.domain, settings.path, false, std::move(stop));
  looked = true;
}

// True if there is another secret now. Some helpers mint a new one each time: not all of
// them are tried.
bool Authorizer::State::look_again(std::stop_token stop) {
  if (looked_again && now() - *looked_again < k_young) return false;
  looked_again = now();
  auto found = keys.find(settings.domain, settings.path, true, std::move(stop));
  if (!found || !credential || found->kind != credential->kind) return false;
  if (found->secret == credential->secret && found->username == credential->username) {
    return false;
  }
  credential = std::move(found);
  return true;
}

// For servers that say how to log in at their front door only.
HttpResponse Authorizer::State::ping(std::stop_token stop) {
  HttpRequest request;
  request.url = settings.origin.str() + "/v2/";
  request.max_bytes = 64 * 1024;
  request.total_timeout = std::chrono::seconds(60);
  request.tls = settings.tls;
  NullSink nowhere;
  return http.send(request, nowhere, std::move(stop));
}

void Authorizer::State::adopt_realm(const Challenge& challenge) {
  realm =
      judge_realm(challenge.parameter("realm"), settings.origin, settings.trusted_realms);
  realm_text = challenge.parameter("realm");
  service = challenge.parameter("service");
}

void Authorizer::State::learn_basic(std::stop_token stop) {
  look(std::move(stop));
  if (!credential) {
    throw with_login_hint(
        Error(Errc::denied, host() + " wants a login, and there is none for it")
            .add_note(credential_used()));
  }
  if (has(Kind::identity_token)) {
    throw with_login_hint(
        Error(Errc::denied, fmt::format("{} wants a password, and there "
                                        "is only {}",
                                        host(), credential_for_people(*credential))));
  }
  // A registry token goes as it is, whatever the server says.
  mode = has(Kind::password) ? Mode::basic : Mode::bearer;
}

void Authorizer::State::learn(const std::vector<Challenge>& challenges,
                              const Scopes& scopes, std::stop_token stop) {
  if (const Challenge* bearer_challenge = find_scheme(challenges, "bearer")) {
    adopt_realm(*bearer_challenge);
    look(std::move(stop));
    mode = Mode::bearer;
    grow(grants[scope_key(scopes)], scopes, *bearer_challenge);
    return;
  }
  if (find_scheme(challenges, "basic") != nullptr) return learn_basic(std::move(stop));
  std::vector<std::string> schemes;
  for (const Challenge& challenge : challenges)
    schemes.push_back(harmless(challenge.scheme, 40));
  if (schemes.empty()) {
    throw Error(Errc::denied, host() + " wants a login, but does not say which");
  }
  throw Error(Errc::denied, fmt::format("{} wants a login by {}; only bearer and basic "
                                        "are known here",
                                        host(), joined(schemes, " or ")));
}

// True if the challenge asks for more than the token was asked for.
bool Authorizer::State::grow(Grant& grant, const Scopes& scopes,
                             const Challenge& challenge) {
  Scopes asked = scopes;
  asked.insert(asked.end(), grant.further.begin(), grant.further.end());
  const Scopes missing =
      missing_scopes(asked, split_scopes(challenge.parameter("scope")));
  if (missing.empty() || grant.only_first) return false;
  grant.further.insert(grant.further.end(), missing.begin(), missing.end());
  return true;
}

// True if the server wants something else than before, and has not said so too often.
bool Authorizer::State::adopt_change(Grant& grant, const Scopes& scopes,
                                     const Challenge& challenge) {
  const bool moved = challenge.parameter("realm") != realm_text ||
                     challenge.parameter("service") != service;
  if (grant.changes >= k_max_changes) return false;
  if (!grow(grant, scopes, challenge) && !moved) return false;
  ++grant.changes;
  if (!moved) return true;
  adopt_realm(challenge);
  for (auto& [key, other] : grants)
    other.token = Secret();
  return true;
}

void Authorizer::State::secret_refused(std::stop_token stop) {
  if (look_again(std::move(stop))) return;
  throw with_login_hint(Error(
      Errc::denied,
      fmt::format("{} was refused by {}", credential_for_people(*credential), host())));
}

void Authorizer::State::token_not_enough(const HttpResponse& answer,
                                         const std::vector<Challenge>& challenges,
                                         const Scopes& scopes, bool worked) {
  Grant& grant = grants[scope_key(scopes)];
  const Challenge* again = find_scheme(challenges, "bearer");
  if (again == nullptr && find_scheme(challenges, "basic") != nullptr) {
    // Harbor's way to say no; a password is worth one try.
    if (tried_basic || !has(Kind::password)) throw not_allowed(answer, scopes);
    tried_basic = true;
    mode = Mode::basic;
    return;
  }
  const bool changed = again != nullptr && adopt_change(grant, scopes, *again);
  const bool too_narrow =
      again != nullptr && again->parameter("error") == "insufficient_scope";
  const bool old = now() - grant.made >= k_young || (worked && !too_narrow);
  if (!changed && !old) throw not_allowed(answer, scopes);
  grant.token = Secret();
}

Error Authorizer::State::not_allowed(const HttpResponse& answer,
                                     const Scopes& scopes) const {
  const std::string what = scopes.empty() ? "" : " " + harmless(joined(scopes, " "), 200);
  Error error(Errc::denied,
              fmt::format("{} refuses{} to {}", host(), what.empty() ? " access" : what,
                          credential ? credential_used() : "an anonymous token"));
  const std::vector<ServerProblem> problems = read_problems(answer);
  if (!problems.empty() && !problems.front().message.empty()) {
    error.add_note(fmt::format("the server says: {}", problems.front().message));
  }
  if (!credential) error.add_note(credential_used());
  if (credential && !may_show()) {
    const std::string place = harmless(realm->origin.host, 200);
    error.add_note(
        fmt::format("{} names the token server {}, which is not known to "
                    "belong to it: it was asked for an anonymous token, and "
                    "not shown {}",
                    host(), place, credential_for_people(*credential)));
    error.add_hint(fmt::format(
        "if {} may see that secret, add it to LITHIFY_TRUSTED_REALMS", place));
  }
  return with_login_hint(std::move(error));
}

Authorizer::Authorizer(HttpClient& http, Keychain& keys, AuthorizerSettings settings)
    : state_(std::make_unique<State>(http, keys, std::move(settings))) {}

Authorizer::~Authorizer() = default;

std::optional<Secret> Authorizer::header(const Scopes& scopes,
                                         std::chrono::seconds needed,
                                         std::stop_token stop) {
  const TimePoint entered = state_->now();
  const Turn::Hold hold(state_->turn, stop);
  State& state = *state_;
  const bool fetches =
      state.mode == State::Mode::bearer && !state.has(Kind::registry_token);
  if (!fetches) return state.current(scopes);
  return state.bearer(scopes, needed, entered, std::move(stop));
}

void Authorizer::challenged(const HttpResponse& answer, const std::optional<Secret>& sent,
                            const Scopes& scopes, std::stop_token stop, bool worked) {
  const Turn::Hold hold(state_->turn, stop);
  State& state = *state_;
  if (state.mode != State::Mode::unknown && sent != state.current(scopes)) {
    return;  // another thread has learned more since
  }
  std::vector<Challenge> challenges = challenges_of(answer);
  if (state.mode == State::Mode::unknown) {
    state.is_private = answer.from_private;
    const bool usable = find_scheme(challenges, "bearer") != nullptr ||
                        find_scheme(challenges, "basic") != nullptr;
    if (!usable) {
      const std::vector<Challenge> others = challenges_of(state.ping(stop));
      if (!others.empty()) challenges = others;
    }
    state.learn(challenges, scopes, std::move(stop));
  } else if (state.mode == State::Mode::basic && state.tried_basic) {
    throw state.not_allowed(answer, scopes);
  } else if (state.mode == State::Mode::basic || state.has(Kind::registry_token)) {
    state.secret_refused(std::move(stop));
  } else {
    state.token_not_enough(answer, challenges, scopes, worked);
  }
}

bool Authorizer::only_first(const Scopes& scopes) const {
  const Turn::Hold hold(state_->turn);
  const auto found = state_->grants.find(scope_key(scopes));
  return found != state_->grants.end() && found->second.only_first;
}

std::string Authorizer::credential_used() const {
  const Turn::Hold hold(state_->turn);
  return state_->credential_used();
}

}  // namespace oci
