#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/lock.h"

namespace lithify {

namespace {

constexpr std::size_t k_max_bytes = std::size_t{64} << 20;
constexpr std::size_t k_max_entries = 1'000'000;
constexpr int k_newest_format = 1;

// One line that says something: "<indent>[- ]key: value", "<indent>key:" or
// "<indent>- value".
struct Line {
  int number = 0;
  int indent = 0;
  bool dash = false;
  std::string key;    // empty: a member of a list
  std::string value;  // unquoted
  int column = 1;     // of the key or member
  int length = 1;     // of the key or member
};

class Complaint {
 public:
  explicit Complaint(std::string file) : file_(std::move(file)) {}

  [[noreturn]] void at(int line, int column, int length, const std::string& message,
                       const std::string& label = "") const {
    oci::Error error(oci::Errc::bad_input, message);
    error.number("L0220").at({file_, line, column, std::max(length, 1)}, label);
    error.add_hint("restore " + file_ +
                   " from version control, or delete it and run `lithify lock`");
    throw error;
  }
  [[noreturn]] void at(const Line& line, const std::string& message) const {
    at(line.number, line.column, line.length, message);
  }
  oci::Place place(const Line& line) const {
    return {file_, line.number, line.column, line.length};
  }
  [[noreturn]] void conflict(int line) const {
    oci::Error error(oci::Errc::bad_input, "the lock holds an unresolved merge conflict");
    error.number("L0221").at({file_, line, 1, 7});
    error.add_hint("keep either side of each conflict, then run `lithify lock`");
    throw error;
  }

 private:
  std::string file_;
};

// Cuts the text into Lines; blank lines and comments are skipped.
class LineReader {
 public:
  LineReader(std::string_view text, const Complaint& complaint)
      : rest_(text), complaint_(complaint) {
    advance();
  }

  bool done() const { return done_; }
  const Line& peek() const { return line_; }
  Line take() {
    Line line = std::move(line_);
    advance();
    return line;
  }

 private:
  void advance() {
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      std::string_view text = rest_.substr(0, end);
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++number_;
      if (text.ends_with('\r')) text.remove_suffix(1);
      const std::size_t indent = text.find_first_not_of(' ');
      if (indent == std::string_view::npos || text[indent] == '#') continue;
      read(text, indent);
      return;
    }
    done_ = true;
  }

  [[noreturn]] void fail(std::size_t offset, const std::string& message) const {
    complaint_.at(number_, static_cast<int>(offset) + 1, 1, message);
  }

  void read(std::string_view text, std::size_t indent) {
    check_characters(text);
    line_ = Line{};
    line_.number = number_;
    line_.indent = static_cast<int>(indent);
    std::size_t at = indent;
    if (text.substr(at).starts_with("- ")) {
      line_.dash = true;
      at += 2;
    }
    line_.column = static_cast<int>(at) + 1;
    read_key_and_value(text, at);
  }

  void check_characters(std::string_view text) const {
    for (const std::string_view marker : {"<<<<<<<", "=======", ">>>>>>>", "|||||||"}) {
      if (text.starts_with(marker)) complaint_.conflict(number_);
    }
    const auto bad = std::find_if(text.begin(), text.end(), [](char c) {
      return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    if (bad != text.end())
      fail(static_cast<std::size_t>(bad - text.begin()),
           "a lock file holds no control characters");
  }

  // A key is a word of [a-z0-9-] followed by ':' and a space or the end of the line.
  void read_key_and_value(std::string_view text, std::size_t at) {
    const std::string_view body = text.substr(at);
    const std::size_t word = std::min(
        body.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), body.size());
    std::size_t value_at = at;
    if (word > 0 && word < body.size() && body[word] == ':' &&
        (word + 1 == body.size() || body[word + 1] == ' ')) {
      line_.key = body.substr(0, word);
      line_.length = static_cast<int>(word);
      value_at = std::min(at + word + 2, text.size());
    } else if (!line_.dash) {
      fail(at, "expected `key: value`");
    } else {
      line_.length = static_cast<int>(body.size());
    }
    line_.value = unquote(text, value_at);
  }

  std::string unquote(std::string_view text, std::size_t at) const {
    const std::string_view raw = text.substr(at);
    if (!raw.starts_with('"')) return std::string(raw);
    std::string value;
    std::size_t i = 1;
    while (i < raw.size() && raw[i] != '"') {
      if (raw[i] != '\\') {
        value += raw[i++];
        continue;
      }
      const std::string_view escape = raw.substr(i + 1);
      unsigned byte = 0;
      if (escape.starts_with('"') || escape.starts_with('\\')) {
        value += escape[0];
        i += 2;
      } else if (escape.starts_with('x') && escape.size() >= 3 &&
                 std::from_chars(escape.data() + 1, escape.data() + 3, byte, 16).ptr ==
                     escape.data() + 3 &&
                 byte < 0x80) {
        value += static_cast<char>(byte);
        i += 4;
      } else {
        fail(at + i, "unknown escape in a quoted value");
      }
    }
    if (i + 1 != raw.size()) fail(at, "a quoted value ends with its line");
    return value;
  }

  std::string_view rest_;
  const Complaint& complaint_;
  Line line_;
  int number_ = 0;
  bool done_ = false;
};

// The fields of one entry, each taken once by name.
// "type form key subject", as str() writes it.
std::optional<LockedVerdict> parse_verdict(std::string_view text) {
  std::array<std::string_view, 4> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t space = text.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == words.size())) return std::nullopt;
    words[i] = text.substr(0, space);
    if (space != std::string_view::npos) text.remove_prefix(space + 1);
  }
  const auto key = oci::Digest::parse(words[2]);
  const auto subject = oci::Digest::parse(words[3]);
  if (words[0].empty() || words[1].empty() || !key || !subject) return std::nullopt;
  return LockedVerdict{std::string(words[0]), std::string(words[1]), *key, *subject};
}

class EntryReader {
 public:
  EntryReader(std::vector<Line> fields, std::vector<std::string> members,
              const Complaint& complaint)
      : fields_(std::move(fields)),
        members_(std::move(members)),
        complaint_(complaint),
        first_(fields_.front()) {
    for (const Line& field : fields_) {
      const auto same = [&](const Line& other) { return other.key == field.key; };
      if (std::count_if(fields_.begin(), fields_.end(), same) > 1)
        complaint_.at(field, fmt::format("`{}` stands twice in one entry", field.key));
    }
  }

  std::string text(std::string_view key) {
    const Line line = required(key);
    if (line.value.empty()) complaint_.at(line, fmt::format("`{}` is empty", key));
    return line.value;
  }

  std::string text_or_empty(std::string_view key) { return required(key).value; }

  std::uint64_t size(std::string_view key) {
    const Line line = required(key);
    std::uint64_t value = 0;
    const char* end = line.value.data() + line.value.size();
    const auto [stop, failure] = std::from_chars(line.value.data(), end, value);
    if (failure != std::errc() || stop != end)
      complaint_.at(line, fmt::format("`{}` is no number of bytes", key));
    return value;
  }

  oci::Digest digest(std::string_view key) {
    const Line line = required(key);
    const auto digest = oci::Digest::parse(line.value);
    if (!digest)
      complaint_.at(line,
                    fmt::format("`{}` is not sha256: and 64 lower-case hex digits", key));
    return *digest;
  }

  std::optional<oci::Digest> optional_digest(std::string_view key) {
    return has(key) ? std::optional(digest(key)) : std::nullopt;
  }

  oci::Digest hex(std::string_view key) {
    const Line line = required(key);
    const auto digest = oci::Digest::parse_hex(line.value);
    if (!digest)
      complaint_.at(line, fmt::format("`{}` is not 64 lower-case hex digits", key));
    return *digest;
  }

  oci::Platform platform(std::string_view key) {
    const Line line = required(key);
    const auto platform = oci::Platform::parse(line.value);
    if (!platform) complaint_.at(line, fmt::format("`{}` is no platform", line.value));
    return *platform;
  }

  std::vector<std::string> members(std::string_view key) {
    const Line line = required(key);
    if (!line.value.empty()) complaint_.at(line, fmt::format("`{}` is a list", key));
    return std::exchange(members_, {});
  }

  std::vector<LockedVerdict> verdicts(std::string_view key) {
    const Line line = required(key);
    if (!line.value.empty()) complaint_.at(line, fmt::format("`{}` is a list", key));
    std::vector<LockedVerdict> verdicts;
    for (const std::string& member : std::exchange(members_, {})) {
      auto verdict = parse_verdict(member);
      if (!verdict) complaint_.at(line, fmt::format("`{}` is no verdict", member));
      verdicts.push_back(std::move(*verdict));
    }
    // Nobody is nobody to rely on.
    if (verdicts.empty()) complaint_.at(line, fmt::format("`{}` is empty", key));
    return verdicts;
  }

  void finish() const {
    if (!fields_.empty())
      complaint_.at(fields_.front(),
                    fmt::format("unknown field `{}` in the lock", fields_.front().key));
    if (!members_.empty()) complaint_.at(first_, "this entry has no list");
  }

  const Line& first() const { return first_; }

 private:
  bool has(std::string_view key) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Line& line) { return line.key == key; });
  }

  Line required(std::string_view key) {
    const auto found = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const Line& line) { return line.key == key; });
    if (found == fields_.end())
      complaint_.at(first_, fmt::format("an entry of the lock lacks `{}`", key));
    Line line = std::move(*found);
    fields_.erase(found);
    return line;
  }

  std::vector<Line> fields_;
  std::vector<std::string> members_;
  const Complaint& complaint_;
  Line first_;
};

LockedImage read_image(EntryReader& entry) {
  LockedImage image{entry.text("ref"),
                    entry.platform("platform"),
                    entry.digest("manifest"),
                    entry.size("size"),
                    entry.optional_digest("index"),
                    entry.optional_digest("verify")};
  if (image.asked) image.verdicts = entry.verdicts("verified");
  return image;
}

LockedIndex read_index(EntryReader& entry) {
  return {entry.text("source"), entry.text("suite"), entry.digest("release"),
          entry.text("signed-by")};
}

LockedOutput read_output(EntryReader& entry) {
  return {entry.text("step"), entry.digest("tree"), entry.optional_digest("asked")};
}

LockedPackage read_package(EntryReader& entry) {
  return {entry.text("name"),    entry.text("source"), entry.text("arch"),
          entry.text("version"), entry.text("path"),   entry.size("size"),
          entry.hex("sha256")};
}

LockedSet read_set(EntryReader& entry) {
  return {entry.text("set"), entry.text_or_empty("request"), entry.members("packages")};
}

LockedUrl read_url(EntryReader& entry) {
  return {entry.text("url"), entry.size("size"), entry.hex("sha256"),
          entry.optional_digest("tree")};
}

// What must be unique in each list.
std::string identity(const LockedImage& image) {
  return image.ref + '\n' + image.platform.str();
}
std::string identity(const LockedIndex& index) {
  return index.source + '\n' + index.suite;
}
std::string identity(const LockedOutput& output) {
  return output.key;
}
std::string identity(const LockedPackage& package) {
  return package.source + '\n' + package.name + '\n' + package.architecture + '\n' +
         package.version;
}
std::string identity(const LockedSet& set) {
  return set.key;
}
std::string identity(const LockedUrl& url) {
  return url.url;
}

class Parser {
 public:
  Parser(std::string_view text, const std::string& file)
      : complaint_(file), lines_(text, complaint_) {}

  Lock parse() {
    read_version();
    Lock lock;
    lock.format = read_number("format", k_newest_format);
    std::set<std::string> seen;
    while (!lines_.done()) {
      const Line line = lines_.take();
      if (line.indent != 0 || line.dash || !line.value.empty())
        complaint_.at(line, "expected the name of a section");
      if (!seen.insert(line.key).second)
        complaint_.at(line, fmt::format("section `{}` stands twice", line.key));
      read_section(line, lock);
    }
    lock.normalise();
    return lock;
  }

 private:
  void read_version() {
    if (lines_.done()) complaint_.at(1, 1, 1, "the lock is empty");
    read_number("lock", 1);
  }

  int read_number(std::string_view key, int newest) {
    if (lines_.done()) complaint_.at(1, 1, 1, fmt::format("the lock has no `{}`", key));
    const Line line = lines_.take();
    if (line.indent != 0 || line.dash || line.key != key)
      complaint_.at(line, fmt::format("expected `{}: {}`", key, newest));
    int value = 0;
    const char* end = line.value.data() + line.value.size();
    const auto [stop, failure] = std::from_chars(line.value.data(), end, value);
    if (failure != std::errc() || stop != end || value < 1)
      complaint_.at(line, fmt::format("expected `{}: {}`", key, newest));
    if (value > newest) too_new(line);
    return value;
  }

  [[noreturn]] void too_new(const Line& line) const {
    oci::Error error(oci::Errc::bad_input,
                     fmt::format("`{}: {}` needs a newer lithify", line.key, line.value));
    error.number("L0222").at(complaint_.place(line), "not known to this version");
    throw error;
  }

  void read_section(const Line& line, Lock& lock) {
    if (line.key == "encoders") return read_encoders(lock);
    if (line.key == "images") return read_list(lock.images, read_image);
    if (line.key == "indexes") return read_list(lock.indexes, read_index);
    if (line.key == "outputs") return read_list(lock.outputs, read_output);
    if (line.key == "packages") return read_list(lock.packages, read_package);
    if (line.key == "sets") return read_list(lock.sets, read_set);
    if (line.key == "urls") return read_list(lock.urls, read_url);
    complaint_.at(line, fmt::format("unknown section `{}` in the lock", line.key));
  }

  void read_encoders(Lock& lock) {
    while (!lines_.done() && lines_.peek().indent > 0) {
      const Line line = lines_.take();
      if (line.indent != 2 || line.dash || line.value.empty())
        complaint_.at(line, "expected `name: identity` of an encoder");
      if (!lock.encoders.emplace(line.key, line.value).second)
        complaint_.at(line, fmt::format("encoder `{}` stands twice", line.key));
      count(line);
    }
  }

  template <class Locked>
  void read_list(std::vector<Locked>& list, Locked (*read)(EntryReader&)) {
    std::map<std::string, std::size_t> seen;
    while (!lines_.done() && lines_.peek().indent > 0) {
      EntryReader entry = next_entry();
      list.push_back(read(entry));
      entry.finish();
      const auto [known, fresh] = seen.emplace(identity(list.back()), list.size() - 1);
      if (!fresh && list.back() != list[known->second])
        complaint_.at(entry.first(), "two entries of the lock disagree about one thing");
    }
  }

  EntryReader next_entry() {
    std::vector<Line> fields{lines_.take()};
    count(fields.front());
    if (fields.front().indent != 2 || !fields.front().dash || fields.front().key.empty())
      complaint_.at(fields.front(), "expected an entry, `  - key: value`");
    std::vector<std::string> members;
    while (!lines_.done() && lines_.peek().indent > 2) {
      Line line = lines_.take();
      if (line.indent == 4 && !line.dash && fields.size() < 16) {
        fields.push_back(std::move(line));
      } else if (line.indent == 6 && line.dash && line.key.empty() &&
                 (fields.back().key == "packages" || fields.back().key == "verified")) {
        count(line);
        members.push_back(std::move(line.value));
      } else {
        complaint_.at(line, "this line fits no entry");
      }
    }
    return EntryReader(std::move(fields), std::move(members), complaint_);
  }

  void count(const Line& line) {
    if (++entries_ > k_max_entries)
      complaint_.at(line,
                    fmt::format("the lock has more than {} entries", k_max_entries));
  }

  Complaint complaint_;
  LineReader lines_;
  std::size_t entries_ = 0;
};

}  // namespace

Lock Lock::parse(std::string_view text, const std::string& file) {
  if (text.size() > k_max_bytes)
    Complaint(file).at(1, 1, 1,
                       fmt::format("the lock is larger than {} bytes", k_max_bytes));
  return Parser(text, file).parse();
}

}  // namespace lithify
