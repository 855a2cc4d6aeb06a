// apt_release: from a mirror's bytes to a list of files that Debian signed.
#include "builder/resolve/apt_release.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/registry/download.h"

#include "builder/resolve/codes.h"
#include "builder/resolve/deb822.h"
#include "builder/resolve/gpgv.h"

namespace lithify {

using oci::Errc;
using oci::Error;

namespace {

constexpr std::uint64_t k_max_release = 16 << 20;
constexpr std::int64_t k_clock_slack = 10 * 60;
constexpr std::string_view k_begin = "-----BEGIN PGP SIGNED MESSAGE-----";
constexpr std::string_view k_end = "-----END PGP SIGNATURE-----";

std::size_t count_lines(std::string_view text, std::string_view line) {
  std::size_t count = 0;
  for (std::size_t at = text.find(line); at != std::string_view::npos;
       at = text.find(line, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') ++count;
  }
  return count;
}

// One signed block and nothing else: gpgv would skip what stands around it.
bool is_one_signed_block(std::string_view message) {
  const std::string_view trimmed = trim(message);
  return message.substr(0, k_begin.size()) == k_begin && trimmed.size() > k_end.size() &&
         trimmed.substr(trimmed.size() - k_end.size()) == k_end &&
         count_lines(message, k_begin) == 1 && count_lines(message, k_end) == 1;
}

// What gpgv's status lines amount to. A good signature is a GOODSIG and its VALIDSIG;
// signatures of keys we do not have are no harm, a bad one is.
struct Verdict {
  std::string fingerprint;
  std::vector<std::string> missing_keys;
  std::vector<std::string> objections;
};

Verdict judge(std::string_view status) {
  Verdict verdict;
  bool good = false;
  while (!status.empty()) {
    const std::size_t end = status.find('\n');
    const auto words = split_words(status.substr(0, end));
    status.remove_prefix(end == std::string_view::npos ? status.size() : end + 1);
    if (words.size() < 2 || words[0] != "[GNUPG:]") continue;
    const std::string_view word = words[1];
    if (word == "NEWSIG") good = false;
    if (word == "GOODSIG") good = true;
    if (word == "VALIDSIG" && good && words.size() >= 3 && verdict.fingerprint.empty())
      verdict.fingerprint = words.back();
    if (word == "NO_PUBKEY" && words.size() >= 3)
      verdict.missing_keys.emplace_back(words[2]);
    if (word == "BADSIG" || word == "EXPSIG" || word == "EXPKEYSIG" ||
        word == "REVKEYSIG") {
      verdict.objections.push_back(
          fmt::format("{}", fmt::join(words.begin() + 1, words.end(), " ")));
    }
  }
  return verdict;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  static constexpr std::string_view k_months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char month[4] = {};
  char zone[6] = {};
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  const std::string line(text.substr(0, 64));
  if (std::sscanf(line.c_str(), "%*3s, %2d %3s %4d %2d:%2d:%2d %5s", &day, month, &year,
                  &hour, &minute, &second, zone) != 7) {
    return std::nullopt;
  }
  const std::string_view zone_name = zone;
  const std::size_t index = k_months.find(month);
  if (index == std::string_view::npos || index % 3 != 0 ||
      (zone_name != "UTC" && zone_name != "GMT" && zone_name != "+0000" &&
       zone_name != "Z")) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{
      std::chrono::year(year), std::chrono::month(static_cast<unsigned>(index / 3 + 1)),
      std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return static_cast<std::int64_t>(days) * 86400 + hour * 3600 + minute * 60 + second;
}

void check_dates(const Stanza& stanza, std::int64_t now) {
  const std::string_view made = stanza.get("Date");
  const std::optional<std::int64_t> date = parse_date(made);
  if (!date)
    throw Error(Errc::untrusted,
                fmt::format("InRelease has no usable Date: \"{}\"", made));
  if (*date > now + k_clock_slack) {
    throw Error(Errc::untrusted, fmt::format("InRelease is from the future: {}", made))
        .add_hint("check the clock of this machine: date -u");
  }
  const std::string_view until = stanza.get("Valid-Until");
  if (until.empty()) return;
  const std::optional<std::int64_t> limit = parse_date(until);
  if (!limit || *limit < now) {
    throw Error(Errc::untrusted, fmt::format("InRelease was valid until {}", until))
        .add_note("an old index could hide security updates; the mirror may be stale");
  }
}

void check_name(const Stanza& stanza, const std::string& suite) {
  const std::string_view codename = stanza.get("Codename");
  const std::string_view name = stanza.get("Suite");
  if (suite == codename || suite == name) return;
  throw Error(
      Errc::untrusted,
      fmt::format("InRelease is for suite \"{}\" (codename \"{}\")", name, codename));
}

bool is_yes(std::string_view value) {
  return equal_ignoring_case(value, "yes");
}

void read_files(std::string_view section, Release& release) {
  const auto words = split_words(section);
  for (std::size_t i = 0; i + 2 < words.size(); i += 3) {
    const auto digest = oci::Digest::parse_hex(words[i]);
    const std::string size(words[i + 1]);
    const bool is_number = !size.empty() && size.size() < 16 &&
                           std::all_of(size.begin(), size.end(),
                                       [](char c) { return c >= '0' && c <= '9'; });
    if (!digest || !is_number) {
      throw Error(Errc::bad_input,
                  fmt::format("InRelease lists no digest and size for {}", words[i + 2]));
    }
    release.files.emplace(std::string(words[i + 2]),
                          oci::BlobRef{*digest, std::stoull(size)});
  }
  if (release.files.empty())
    throw Error(Errc::untrusted, "InRelease lists no files by SHA256");
}

std::string release_url(const std::string& base, const std::string& suite) {
  return base + "/dists/" + suite + "/InRelease";
}

// Asks one mirror after another. One that does not answer is passed over as long as
// another does.
class MirrorWalk {
 public:
  MirrorWalk(oci::HttpClient& http, std::stop_token stop)
      : http_(http), stop_(std::move(stop)) {}

  std::optional<std::string> ask(const std::string& url) {
    try {
      auto text = oci::fetch_small(http_, {url, k_max_release}, stop_);
      if (!text) told_.push_back(oci::url_for_people(url) + " is not there");
      return text;
    } catch (const Error& e) {
      if (e.code() != Errc::unavailable && e.code() != Errc::denied) throw;
      silent_ = silent_ || e.code() == Errc::unavailable;
      told_.emplace_back(e.what());
      return std::nullopt;
    }
  }

  // When nobody had it.
  Error failure(const std::string& suite) const {
    Error error(silent_ ? Errc::unavailable : Errc::not_found,
                fmt::format("the suite {} cannot be fetched from its mirrors", suite));
    for (const std::string& line : told_)
      error.add_note(line);
    return error.number(code::k_mirror);
  }

 private:
  oci::HttpClient& http_;
  std::stop_token stop_;
  std::vector<std::string> told_;
  bool silent_ = false;  // one of them might have had it
};

}  // namespace

Signed verify_clearsigned(std::string_view message, const SuitePlace& place,
                          const AptEnvironment& environment) {
  if (!is_one_signed_block(message)) {
    throw Error(Errc::untrusted, "InRelease is not exactly one signed message");
  }
  GpgvResult result = run_gpgv(environment.gpgv, place.keyrings, message);
  const Verdict verdict = judge(result.status);
  const bool ran = result.exit_code == 0 || result.exit_code == 2;
  if (ran && verdict.objections.empty() && !verdict.fingerprint.empty() &&
      (result.exit_code == 0 || !verdict.missing_keys.empty())) {
    return {std::move(result.output), verdict.fingerprint};
  }
  Error error(Errc::untrusted, "no key that we trust has signed InRelease");
  for (const std::string& objection : verdict.objections)
    error.add_note(objection);
  for (const std::string& key : verdict.missing_keys)
    error.add_note("signed by the unknown key " + key);
  for (const std::string& keyring : place.keyrings)
    error.add_note("trusted: " + keyring);
  throw Error(error);
}

void parse_release(const std::string& text, std::int64_t now, Release& release) {
  Deb822Reader reader(text, release.suite + " InRelease");
  Stanza stanza;
  if (!reader.next(stanza)) throw Error(Errc::untrusted, "InRelease is empty");
  check_name(stanza, release.suite);
  check_dates(stanza, now);
  for (const std::string_view name : split_words(stanza.get("Architectures")))
    release.architectures.emplace_back(name);
  release.by_hash = is_yes(stanza.get("Acquire-By-Hash"));
  release.separate_all =
      stanza.get("No-Support-for-Architecture-all") != "Packages" &&
      std::find(release.architectures.begin(), release.architectures.end(), "all") !=
          release.architectures.end();
  if (is_yes(stanza.get("NotAutomatic")))
    release.priority = is_yes(stanza.get("ButAutomaticUpgrades")) ? 100 : 1;
  read_files(stanza.get("SHA256"), release);
}

namespace {

Release checked(const std::string& message, const std::string& base,
                const SuitePlace& place, const AptEnvironment& environment) {
  const Signed text = verify_clearsigned(message, place, environment);
  Release release(oci::Digest::of(message));
  release.suite = place.suite;
  release.base = base;
  release.signed_by = text.fingerprint;
  parse_release(text.text, environment.now, release);
  return release;
}

}  // namespace

Release fetch_release(oci::HttpClient& http, const SuitePlace& place,
                      const AptEnvironment& environment, std::stop_token stop) {
  MirrorWalk mirrors(http, std::move(stop));
  for (const std::string& base : place.bases) {
    const std::string url = release_url(base, place.suite);
    const auto message = mirrors.ask(url);
    if (!message) continue;
    try {
      return checked(*message, base, place, environment);
    } catch (Error& e) {
      if (e.code() == Errc::untrusted) e.number(code::k_untrusted);
      e.add_context("checking " + oci::url_for_people(url));
      throw;
    }
  }
  throw mirrors.failure(place.suite);
}

}  // namespace lithify
