// server_error: reads the bodies of refusals: JSON of the specification, and what
// proxies, storage services and login portals send instead.
#include "oci/registry/server_error.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "oci/base/json.h"

namespace oci {

namespace {

using nlohmann::json;

constexpr std::size_t k_max_problems = 8;
constexpr std::size_t k_max_code = 64;
constexpr std::size_t k_max_message = 400;
// More text than a message can use is not worth tidying.
constexpr std::size_t k_max_read = 4096;
constexpr std::string_view k_cut = "…";

// One code point of `text`, and its length; nullopt for a byte that is no UTF-8.
std::optional<std::pair<char32_t, std::size_t>> decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return std::pair(static_cast<char32_t>(first), std::size_t{1});
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return std::nullopt;
  char32_t point = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return std::nullopt;
    point = point << 6 | (byte(i) & 0x3fU);
  }
  constexpr std::array<char32_t, 5> k_least = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < k_least[length] || point > 0x10ffff || surrogate) return std::nullopt;
  return std::pair(point, length);
}

// What moves the cursor, hides text or turns its direction.
bool is_harmful(char32_t point) {
  constexpr std::array<std::pair<char32_t, char32_t>, 9> k_ranges = {{
      {0x00, 0x1f},        // C0
      {0x7f, 0x9f},        // delete, C1
      {0xad, 0xad},        // soft hyphen
      {0x61c, 0x61c},      // Arabic letter mark
      {0x200b, 0x200f},    // zero width, left-to-right and right-to-left marks
      {0x2028, 0x202e},    // line separators, embeddings, overrides
      {0x2060, 0x206f},    // invisible operators, isolates
      {0xfeff, 0xfeff},    // byte order mark
      {0xe0000, 0xe007f},  // tags
  }};
  return std::any_of(k_ranges.begin(), k_ranges.end(), [&](const auto& range) {
    return point >= range.first && point <= range.second;
  });
}

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Every stretch of white space becomes one blank; none at the ends.
std::string in_one_line(std::string_view text) {
  std::string line;
  for (const char c : text.substr(0, k_max_read)) {
    if (!is_blank(c)) {
      line += c;
    } else if (!line.empty() && line.back() != ' ') {
      line += ' ';
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

std::string tidy(std::string_view text) {
  return harmless(in_one_line(text), k_max_message);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// The text of the first member of `object` that is one; empty if there is none.
std::string text_of(const json& object, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string()) continue;
    const auto& text = found->get_ref<const std::string&>();
    if (!text.empty()) return text;
  }
  return {};
}

// Registries hide what would help in `detail`, in a form of their own choice. Only texts
// and the name of a missing blob are worth the room.
std::string detail_of(const json& object) {
  const std::string text = text_of(object, {"detail"});
  const auto found = object.find("detail");
  if (!text.empty() || found == object.end() || !found->is_object()) return text;
  return text_of(*found, {"message", "reason", "digest", "Digest"});
}

std::optional<ServerProblem> problem_of(const json& value) {
  if (value.is_string()) {
    return ServerProblem{{}, tidy(value.get_ref<const std::string&>())};
  }
  if (!value.is_object()) return std::nullopt;
  ServerProblem problem;
  problem.code = harmless(in_one_line(text_of(value, {"code"})), k_max_code);
  std::string message =
      text_of(value, {"message", "error_description", "details", "error", "title"});
  const std::string detail = detail_of(value);
  if (message.empty()) {
    message = detail;
  } else if (!detail.empty() && message.find(detail) == std::string::npos) {
    message += " (" + detail + ")";
  }
  problem.message = tidy(message);
  if (problem.code.empty() && problem.message.empty()) return std::nullopt;
  return problem;
}

std::vector<ServerProblem> problems_in(const json& document) {
  std::vector<ServerProblem> problems;
  const auto add = [&](const json& value) {
    if (problems.size() == k_max_problems) return;
    if (auto problem = problem_of(value)) problems.push_back(std::move(*problem));
  };
  const json* errors = &document;
  if (document.is_object() && document.contains("errors")) errors = &document["errors"];
  if (errors->is_array()) {
    std::for_each(errors->begin(), errors->end(), add);
  } else {
    add(*errors);
  }
  // An empty list beside a message of its own.
  if (problems.empty() && errors != &document) add(document);
  return problems;
}

// The text inside the first element of that name, which is lower case; entities that
// titles use are decoded.
std::string element(std::string_view page, const std::string& lower_page,
                    std::string_view name) {
  const std::size_t open = lower_page.find(fmt::format("<{}", name));
  if (open == std::string::npos) return {};
  const std::size_t begin = lower_page.find('>', open);
  const std::size_t end = lower_page.find(fmt::format("</{}", name), open);
  if (begin == std::string::npos || end == std::string::npos || end <= begin) return {};
  std::string text(page.substr(begin + 1, std::min(end - begin - 1, k_max_read)));
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> k_entities = {
      {{"&lt;", "<"},
       {"&gt;", ">"},
       {"&quot;", "\""},
       {"&#39;", "'"},
       {"&nbsp;", " "},
       {"&amp;", "&"}}};
  for (const auto& [entity, character] : k_entities) {
    for (std::size_t at = 0; (at = text.find(entity, at)) != std::string::npos; ++at)
      text.replace(at, entity.size(), character);
  }
  return text;
}

bool is_markup(const HttpResponse& answer, std::string_view body) {
  const std::string* type = answer.header("content-type");
  if (type != nullptr && lower(*type).rfind("text/html", 0) == 0) return true;
  return body.starts_with('<');
}

// The title of a page for people, or code and message of a storage service.
std::vector<ServerProblem> problems_in_markup(std::string_view page) {
  const std::string lower_page = lower(page);
  std::string code;
  std::string message = element(page, lower_page, "title");
  if (message.empty()) {
    code = element(page, lower_page, "code");
    message = element(page, lower_page, "message");
  }
  ServerProblem problem{harmless(in_one_line(code), k_max_code), tidy(message)};
  if (problem.code.empty() && problem.message.empty()) return {};
  return {std::move(problem)};
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back()))
    text.remove_suffix(1);
  return text;
}

// Compressed bytes and their like tell nobody anything.
bool is_telling(std::string_view text) {
  return text.find('\0') == std::string_view::npos && !text.starts_with("\x1f\x8b") &&
         !text.starts_with("\x28\xb5\x2f\xfd");
}

Errc kind_of(int status) {
  if (status == 401 || status == 403) return Errc::denied;
  if (status == 404) return Errc::not_found;
  if (status == 408 || status == 429 || status >= 500) return Errc::unavailable;
  return Errc::bad_input;
}

std::string_view words_for(int status) {
  constexpr std::array<std::pair<int, std::string_view>, 14> k_words = {
      {{400, "bad request"},
       {401, "unauthorized"},
       {403, "forbidden"},
       {404, "not found"},
       {405, "method not allowed"},
       {408, "request timeout"},
       {409, "conflict"},
       {413, "content too large"},
       {416, "range not satisfiable"},
       {429, "too many requests"},
       {500, "internal server error"},
       {502, "bad gateway"},
       {503, "service unavailable"},
       {504, "gateway timeout"}}};
  for (const auto& [number, words] : k_words) {
    if (number == status) return words;
  }
  return {};
}

std::string host_of(std::string_view url) {
  std::string shown = url_for_people(url);
  const std::size_t scheme = shown.find("://");
  if (scheme != std::string::npos) shown.erase(0, scheme + 3);
  return harmless(std::string_view(shown).substr(0, shown.find('/')));
}

std::string told(const ServerProblem& problem) {
  if (problem.code.empty()) return problem.message;
  if (problem.message.empty()) return problem.code;
  return problem.code + ": " + problem.message;
}

std::string first_told(const HttpResponse& answer,
                       const std::vector<ServerProblem>& problems) {
  if (problems.empty()) {
    const std::string_view words = words_for(answer.status);
    return words.empty() ? "" : fmt::format(" ({})", words);
  }
  // "404 MANIFEST_UNKNOWN: …" like other tools, but "404: <the words of a proxy>".
  return (problems.front().code.empty() ? ": " : " ") + told(problems.front());
}

}  // namespace

std::string harmless(std::string_view text, std::size_t most) {
  const std::string_view sign = most < k_cut.size() ? "" : k_cut;
  std::string result;
  std::size_t fits = 0;  // the length that leaves room for the sign that it was cut
  while (!text.empty()) {
    const auto decoded = decode(text);
    const std::size_t length = decoded ? decoded->second : 1;
    const bool good = decoded && !is_harmful(decoded->first);
    const std::string_view piece = good ? text.substr(0, length) : "?";
    if (result.size() + piece.size() > most) {
      result.resize(fits);
      return result.append(sign);
    }
    result += piece;
    if (result.size() + sign.size() <= most) fits = result.size();
    text.remove_prefix(length);
  }
  return result;
}

std::vector<ServerProblem> read_problems(const HttpResponse& answer) {
  const std::string_view body = trimmed(answer.problem);
  if (body.empty() || !is_telling(body)) return {};
  if (is_markup(answer, body)) return problems_in_markup(body);
  if (body.front() == '{' || body.front() == '[' || body.front() == '"') {
    try {
      return problems_in(parse_json(body, "the answer"));
    } catch (const Error&) {
      // Broken JSON still has words in it.
    }
  }
  return {{{}, tidy(body)}};
}

bool has_code(const HttpResponse& answer, std::string_view code) {
  const std::vector<ServerProblem> problems = read_problems(answer);
  return std::any_of(problems.begin(), problems.end(),
                     [&](const ServerProblem& p) { return p.code == code; });
}

Error server_error(const HttpResponse& answer, std::string_view url,
                   std::string_view doing) {
  const std::string host = host_of(url);
  const std::vector<ServerProblem> problems = read_problems(answer);
  Error error(kind_of(answer.status),
              fmt::format("{}: {} answers {}{}", doing, host, answer.status,
                          first_told(answer, problems)));
  for (std::size_t i = 1; i < problems.size(); ++i)
    error.add_note(fmt::format("{} also says {}", host, told(problems[i])));
  const std::string_view body = trimmed(answer.problem);
  const std::string page = lower(body.substr(0, k_max_read));
  if (is_markup(answer, body) && page.find("<html") != std::string::npos) {
    error.add_note(
        "the answer is a web page, so it may come from a proxy or a login "
        "portal rather than from the registry");
  }
  const std::string* allowed = answer.header("allow");
  if (answer.status == 405 && allowed != nullptr &&
      allowed->find_first_not_of("GETHAD, ") == std::string::npos) {
    error.add_note("it only lets itself be read: a mirror, or read-only for now");
  }
  // What Go and nginx say.
  if (answer.status == 400 && (page.find("to an https server") != std::string::npos ||
                               page.find("to https port") != std::string::npos)) {
    error.add_hint(
        fmt::format("put the authority's certificate into ~/.config/containers/certs.d/"
                    "{}/ca.crt: a loopback registry that has none is asked by http",
                    host));
  }
  if (answer.retry_after.count() > 0) {
    error.add_note(fmt::format("{} asks to wait {} s", host, answer.retry_after.count()));
  }
  return error;
}

}  // namespace oci
