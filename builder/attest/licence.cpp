// licence: copyright-format(7), "License specification", and SPDX 2.3, annex D.
#include "builder/attest/licence.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <span>

#include <fmt/format.h>

#include "builder/attest/paragraphs.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_licences = 200;
constexpr std::size_t k_max_synopsis = 500;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

struct Known {
  std::string_view debian;  // in lower case
  std::string_view spdx;
};

// Names whose meaning is one and the same. "BSD" or "MIT" of unknown wording are not.
constexpr std::array k_known = std::to_array<Known>({
    {"0bsd", "0BSD"},
    {"apache-1.0", "Apache-1.0"},
    {"apache-1.1", "Apache-1.1"},
    {"apache-2", "Apache-2.0"},
    {"apache-2.0", "Apache-2.0"},
    {"artistic", "Artistic-1.0-Perl"},
    {"artistic-2", "Artistic-2.0"},
    {"artistic-2.0", "Artistic-2.0"},
    {"bsd-2-clause", "BSD-2-Clause"},
    {"bsd-3-clause", "BSD-3-Clause"},
    {"bsd-4-clause", "BSD-4-Clause"},
    {"bsd-4-clause-uc", "BSD-4-Clause-UC"},
    {"bsl-1.0", "BSL-1.0"},
    {"boost-1.0", "BSL-1.0"},
    {"bzip2-1.0.6", "bzip2-1.0.6"},
    {"cc-by-3.0", "CC-BY-3.0"},
    {"cc-by-4.0", "CC-BY-4.0"},
    {"cc-by-sa-3.0", "CC-BY-SA-3.0"},
    {"cc-by-sa-4.0", "CC-BY-SA-4.0"},
    {"cc0", "CC0-1.0"},
    {"cc0-1.0", "CC0-1.0"},
    {"curl", "curl"},
    {"expat", "MIT"},
    {"fsfap", "FSFAP"},
    {"fsful", "FSFUL"},
    {"fsfullr", "FSFULLR"},
    {"ftl", "FTL"},
    {"hpnd", "HPND"},
    {"hpnd-sell-variant", "HPND-sell-variant"},
    {"ijg", "IJG"},
    {"isc", "ISC"},
    {"libpng", "Libpng"},
    {"libtiff", "libtiff"},
    {"mit-0", "MIT-0"},
    {"mpl-1.1", "MPL-1.1"},
    {"mpl-2.0", "MPL-2.0"},
    {"ntp", "NTP"},
    {"ofl-1.1", "OFL-1.1"},
    {"openldap-2.8", "OLDAP-2.8"},
    {"openssl", "OpenSSL"},
    {"perl", "Artistic-1.0-Perl OR GPL-1.0-or-later"},
    {"postgresql", "PostgreSQL"},
    {"psf-2", "Python-2.0"},
    {"python-2.0", "Python-2.0"},
    {"ruby", "Ruby"},
    {"tcl", "TCL"},
    {"unicode", "Unicode-DFS-2016"},
    {"unlicense", "Unlicense"},
    {"vim", "Vim"},
    {"w3c", "W3C"},
    {"wtfpl-2", "WTFPL"},
    {"x11", "X11"},
    {"zlib", "Zlib"},
    {"zpl-2.1", "ZPL-2.1"},
});

constexpr std::array k_exceptions = std::to_array<Known>({
    {"autoconf", "Autoconf-exception-3.0"},
    {"bison", "Bison-exception-2.2"},
    {"classpath", "Classpath-exception-2.0"},
    {"font", "Font-exception-2.0"},
    {"gcc", "GCC-exception-3.1"},
    {"libtool", "Libtool-exception"},
});

template <std::size_t Size>
std::string_view find(const std::array<Known, Size>& table, std::string_view name) {
  for (const Known& known : table) {
    if (known.debian == name) return known.spdx;
  }
  return {};
}

// The GNU licences: a name, a version, and perhaps a plus for later ones.
std::string gnu(std::string_view name) {
  struct Family {
    std::string_view prefix, spdx, suffix;
    std::array<std::string_view, 4> versions;
  };
  static constexpr Family k_families[] = {
      {"gpl-", "GPL-", "", {"1.0", "2.0", "3.0", ""}},
      {"lgpl-", "LGPL-", "", {"2.0", "2.1", "3.0", ""}},
      {"agpl-", "AGPL-", "", {"3.0", "", "", ""}},
      {"gfdl-niv-", "GFDL-", "-no-invariants", {"1.1", "1.2", "1.3", ""}},
      {"gfdl-", "GFDL-", "", {"1.1", "1.2", "1.3", ""}},
  };
  const bool later = name.ends_with('+');
  if (later) name.remove_suffix(1);
  for (const Family& family : k_families) {
    if (!name.starts_with(family.prefix)) continue;
    std::string version(name.substr(family.prefix.size()));
    if (version.find('.') == std::string::npos) version += ".0";
    const auto& known = family.versions;
    if (std::find(known.begin(), known.end(), version) == known.end()) continue;
    return fmt::format("{}{}{}{}", family.spdx, version, family.suffix,
                       later ? "-or-later" : "-only");
  }
  return "";
}

std::string spdx_name(const std::string& name) {
  const std::string known(find(k_known, name));
  return known.empty() ? gnu(name) : known;
}

using Words = std::vector<std::string_view>;

Words words_of(std::string_view text) {
  Words words;
  constexpr std::string_view k_space = " \t\r\n";
  for (std::size_t at = text.find_first_not_of(k_space); at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(k_space, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = std::min(text.find_first_not_of(k_space, end), text.size());
  }
  return words;
}

// One synopsis, "GPL-2+ or Artistic, and BSD-3-clause": `and` binds tighter than `or`,
// and a comma before either loosens it.
class Synopsis {
 public:
  Synopsis(std::string_view package, std::map<std::string, LicenceReference>& references)
      : package_(package), references_(references) {}

  std::string expression(std::string_view text) {
    const Words words = words_of(text);
    if (words.empty()) return "";
    // Where the parts between loose operators begin.
    std::vector<std::size_t> begins = {0};
    std::string joint;
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (!is_operator(words[i]) || !comma(words[i - 1])) continue;
      // Commas of both kinds have no order that is written anywhere.
      if (!joint.empty() && joint != upper(words[i])) return whole(text);
      joint = upper(words[i]);
      begins.push_back(i + 1);
    }
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < begins.size(); ++i) {
      const std::size_t end = i + 1 < begins.size() ? begins[i + 1] - 1 : words.size();
      parts.push_back(alternatives(std::span(words).subspan(begins[i], end - begins[i])));
    }
    return join(parts, joint);
  }

 private:
  static bool comma(std::string_view word) { return word.ends_with(','); }
  static bool is_operator(std::string_view word) { return word == "and" || word == "or"; }
  static std::string upper(std::string_view word) { return word == "or" ? "OR" : "AND"; }

  std::string alternatives(std::span<const std::string_view> words) {
    std::vector<std::string> any;
    std::vector<std::string> all;
    std::string name;
    for (const std::string_view word : words) {
      if (!is_operator(word)) {
        name += (name.empty() ? "" : " ") + std::string(word);
        continue;
      }
      all.push_back(licence(std::exchange(name, "")));
      if (word == "or") any.push_back(join(std::exchange(all, {}), "AND"));
    }
    all.push_back(licence(name));
    any.push_back(join(all, "AND"));
    return join(any, "OR");
  }

  static std::string join(std::vector<std::string> parts, std::string_view joint) {
    std::erase(parts, "");
    if (parts.size() == 1) return parts.front();
    std::string text;
    for (const std::string& part : parts) {
      const bool grouped = part.find(" AND ") != std::string::npos ||
                           part.find(" OR ") != std::string::npos;
      if (!text.empty()) text += fmt::format(" {} ", joint);
      text += grouped ? "(" + part + ")" : part;
    }
    return text;
  }

  std::string licence(std::string name) {
    if (name.ends_with(',')) name.pop_back();
    if (name.empty()) return "";
    const std::string known = lower(name);
    const std::string spdx = spdx_name(known);
    if (!spdx.empty()) return spdx;
    const std::string excepted = with_exception(known);
    return excepted.empty() ? whole(name) : excepted;
  }

  // "gpl-2+ with bison exception"
  static std::string with_exception(const std::string& name) {
    constexpr std::string_view k_with = " with ";
    constexpr std::string_view k_exception = " exception";
    const std::size_t with = name.find(k_with);
    if (with == std::string::npos || !name.ends_with(k_exception)) return "";
    const std::size_t from = with + k_with.size();
    const std::size_t end = name.size() - k_exception.size();
    if (end <= from) return "";
    const std::string spdx = gnu(std::string_view(name).substr(0, with));
    const auto exception =
        find(k_exceptions, std::string_view(name).substr(from, end - from));
    return spdx.empty() || exception.empty() ? ""
                                             : fmt::format("{} WITH {}", spdx, exception);
  }

  std::string whole(std::string_view name) {
    std::string id = fmt::format("LicenseRef-{}-{}", package_, name);
    for (char& c : id) {
      const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
      if (!plain) c = '-';
    }
    references_.try_emplace(id, LicenceReference{id, std::string(name)});
    return id;
  }

  std::string_view package_;
  std::map<std::string, LicenceReference>& references_;
};

// The parts of an expression that `joint` joins outside of parentheses.
std::vector<std::string> parts_of(const std::string& expression, std::string_view joint) {
  std::vector<std::string> parts;
  int open = 0;
  std::size_t from = 0;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const std::string_view rest = std::string_view(expression).substr(i);
    open += rest.front() == '(' ? 1 : rest.front() == ')' ? -1 : 0;
    if (open != 0 || !rest.starts_with(joint)) continue;
    parts.push_back(expression.substr(from, i - from));
    from = i + joint.size();
  }
  parts.push_back(expression.substr(from));
  return parts;
}

bool offers_a_choice(const std::string& expression) {
  return parts_of(expression, " OR ").size() > 1;
}

// The synopses of the paragraphs that say what holds for which files; nullopt if the text
// is no such file.
std::optional<std::set<std::string>> synopses_in(std::string_view text) {
  std::set<std::string> found;
  bool first = true;
  bool ours = false;
  bool fits = true;
  const bool whole = read_paragraphs(text, [&](const Paragraph& paragraph) {
    if (std::exchange(first, false)) {
      const std::string_view format = paragraph.get("Format");
      ours = format.find("copyright-format/1.0") != std::string_view::npos;
    } else if (paragraph.get("Files").empty()) {
      return;  // the text of a licence
    }
    const std::string_view synopsis = paragraph.first_line("License");
    if (synopsis.size() > k_max_synopsis) fits = false;
    if (!synopsis.empty() && fits) found.emplace(synopsis);
    if (found.size() > k_max_licences) fits = false;
  });
  if (!whole || !ours || !fits || found.empty()) return std::nullopt;
  return found;
}

}  // namespace

std::optional<Licence> read_licence(std::string_view text, std::string_view package) {
  const auto synopses = synopses_in(text);
  if (!synopses) return std::nullopt;
  std::map<std::string, LicenceReference> references;
  Synopsis reader(package, references);
  std::set<std::string> expressions;
  for (const std::string& synopsis : *synopses) {
    std::string all = reader.expression(synopsis);
    if (offers_a_choice(all)) {
      expressions.insert(std::move(all));
      continue;
    }
    for (std::string& one : parts_of(all, " AND "))
      expressions.insert(std::move(one));
  }
  expressions.erase("");
  if (expressions.empty()) return std::nullopt;
  Licence licence;
  for (const std::string& one : expressions) {
    const bool grouped = expressions.size() > 1 && offers_a_choice(one);
    if (!licence.expression.empty()) licence.expression += " AND ";
    licence.expression += grouped ? "(" + one + ")" : one;
  }
  for (auto& [id, reference] : references)
    licence.references.push_back(std::move(reference));
  return licence;
}

}  // namespace lithify
