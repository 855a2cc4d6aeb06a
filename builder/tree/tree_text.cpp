// The text of a tree: a header line, then one line a node in the byte order of paths.
//
//   lithify-tree 1
//   d usr 755 0 0 315532800 implied
//   f usr/a 644 0 0 315532800 blob=<hex>:<size of blob>:<offset>:<size> origin=bash
//
// Words are separated by one space: type, path, then (but not for whiteouts) mode in
// octal, uid, gid, mtime, then in this order what applies: blob=, file=<hex>:<size> (a
// local file; in digests only), link=, dev=<major>:<minor>, id=<hex>, implied, origin=,
// and x:<name>=<value> for each xattr. The root directory is ".". In paths, links,
// origins and xattrs the bytes up to 0x20, 0x7f, '%' and '=' are written %XX with upper
// case digits; everything else is raw. Numbers have no leading zeros.
#include "builder/tree/tree_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <limits>
#include <unordered_set>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

using oci::Errc;
using oci::Error;
using oci::FileType;

namespace {

constexpr std::string_view k_header = "lithify-tree 1\n";
constexpr std::size_t k_max_text = std::size_t{1} << 30;
constexpr std::size_t k_max_nodes = 5'000'000;
constexpr std::size_t k_max_path = 4096;
constexpr std::size_t k_max_depth = 256;
constexpr std::size_t k_max_xattrs = 1 << 20;
constexpr std::size_t k_piece = 64 << 10;  // of a text that is hashed as it is written

constexpr std::array<std::pair<FileType, char>, 8> k_letters = {{
    {FileType::regular, 'f'},
    {FileType::directory, 'd'},
    {FileType::symlink, 'l'},
    {FileType::char_device, 'c'},
    {FileType::block_device, 'b'},
    {FileType::fifo, 'p'},
    {FileType::whiteout, 'w'},
    {FileType::opaque, 'o'},
}};

// What is written of a local file: its digest, without a place; or nothing at all.
enum class LocalFiles { by_digest, refuse };

bool must_escape(unsigned char byte) {
  return byte <= 0x20 || byte == 0x7f || byte == '%' || byte == '=';
}

// ---- writing

void put_number(std::string& to, std::uint64_t value, int base = 10) {
  std::array<char, 32> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
  to.append(digits.data(), end.ptr);
}

void put_signed(std::string& to, std::int64_t value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  to.append(digits.data(), end.ptr);
}

void put_hex(std::string& to, const oci::Digest& digest) {
  static constexpr char k_digits[] = "0123456789abcdef";
  std::array<char, 64> hex;
  for (std::size_t i = 0; i < 32; ++i) {
    const auto byte = std::to_integer<unsigned>(digest.raw()[i]);
    hex[2 * i] = k_digits[byte >> 4];
    hex[2 * i + 1] = k_digits[byte & 15];
  }
  to.append(hex.data(), hex.size());
}

// Most text has nothing to escape and goes over in one piece.
void put_escaped(std::string& to, std::string_view text) {
  static constexpr char k_digits[] = "0123456789ABCDEF";
  const auto special = [](char c) { return must_escape(static_cast<unsigned char>(c)); };
  for (;;) {
    const auto at = std::find_if(text.begin(), text.end(), special);
    const auto plain = static_cast<std::size_t>(at - text.begin());
    to.append(text.substr(0, plain));
    if (at == text.end()) return;
    const auto byte = static_cast<unsigned char>(*at);
    to += '%';
    to += k_digits[byte >> 4];
    to += k_digits[byte & 15];
    text.remove_prefix(plain + 1);
  }
}

char letter_of(FileType type) {
  for (const auto& [known, letter] : k_letters) {
    if (known == type) return letter;
  }
  throw Error(Errc::internal, "a tree holds no hard links, only shared file ids");
}

void put_content(std::string& to, const std::string& path, const Content& content,
                 LocalFiles local) {
  if (const auto* slice = std::get_if<Slice>(&content)) {
    to += " blob=";
    put_hex(to, slice->blob.digest);
    for (const std::uint64_t number : {slice->blob.size, slice->offset, slice->size}) {
      to += ':';
      put_number(to, number);
    }
    return;
  }
  const auto& file = std::get<LocalFile>(content);
  if (local == LocalFiles::refuse) {
    throw Error(Errc::internal,
                fmt::format("a tree with local files has no text (\"{}\")", path));
  }
  to += " file=";
  put_hex(to, file.digest);
  to += ':';
  put_number(to, file.size);
}

void put_attributes(std::string& to, const oci::Attributes& attributes) {
  to += ' ';
  put_number(to, attributes.mode, 8);
  to += ' ';
  put_number(to, attributes.uid);
  to += ' ';
  put_number(to, attributes.gid);
  to += ' ';
  put_signed(to, attributes.mtime);
}

void put_rest(std::string& to, const Node& node) {
  if (node.type == FileType::symlink) {
    to += " link=";
    put_escaped(to, node.link);
  }
  if (node.type == FileType::char_device || node.type == FileType::block_device) {
    to += " dev=";
    put_number(to, node.device_major);
    to += ':';
    put_number(to, node.device_minor);
  }
  if (node.file_id != 0) {
    to += " id=";
    put_number(to, node.file_id, 16);
  }
  if (node.implied) to += " implied";
  if (!node.origin.empty()) {
    to += " origin=";
    put_escaped(to, node.origin);
  }
  for (const auto& [name, value] : node.attributes.xattrs) {
    to += " x:";
    put_escaped(to, name);
    to += '=';
    put_escaped(to, value);
  }
}

void put_line(std::string& to, const std::string& path, const Node& node,
              LocalFiles local) {
  to += letter_of(node.type);
  to += ' ';
  if (path.empty()) to += '.';
  put_escaped(to, path);
  if (node.type != FileType::whiteout) {
    put_attributes(to, node.attributes);
    if (node.type == FileType::regular && node.content) {
      put_content(to, path, *node.content, local);
    }
    put_rest(to, node);
  }
  to += '\n';
}

// ---- reading

[[noreturn]] void refuse(std::string message) {
  throw Error(Errc::bad_input, std::move(message));
}

std::uint64_t to_number(std::string_view text, std::uint64_t most, int base = 10) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  // from_chars takes both cases of a hexadecimal digit.
  const bool lower = text.find_first_of("ABCDEF") == std::string_view::npos;
  const bool canonical =
      !text.empty() && (text.size() == 1 || text.front() != '0') && lower;
  if (result.ec != std::errc() || result.ptr != end || value > most || !canonical) {
    refuse(fmt::format("\"{}\" is no number up to {}", text, most));
  }
  return value;
}

std::int64_t to_signed(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  const std::uint64_t value = to_number(negative ? text.substr(1) : text,
                                        std::numeric_limits<std::int64_t>::max());
  if (negative && value == 0) refuse("\"-0\" is no number");
  return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

int upper_hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (must_escape(static_cast<unsigned char>(text[i]))) {
        refuse(fmt::format("byte {:#x} must be written %XX",
                           static_cast<unsigned char>(text[i])));
      }
      plain += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? upper_hex(text[i + 1]) : -1;
    const int low = high >= 0 ? upper_hex(text[i + 2]) : -1;
    const int byte = low >= 0 ? high * 16 + low : -1;
    if (byte < 0 || !must_escape(static_cast<unsigned char>(byte))) {
      refuse(fmt::format("\"{}\" has a wrong %XX", text));
    }
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

std::string unescape_name(std::string_view text) {
  std::string name = unescape(text);
  if (name.empty() || name.size() > k_max_path || name.find('\0') != std::string::npos) {
    refuse(fmt::format("\"{}\" is empty, too long or holds a NUL", text));
  }
  return name;
}

// The words of one line.
class Words {
 public:
  explicit Words(std::string_view line) : rest_(line) {}
  bool empty() const { return done_; }
  std::string_view peek() const {
    return rest_.substr(0, std::min(rest_.find(' '), rest_.size()));
  }
  std::string_view next() {
    if (done_) refuse("the line ends too soon");
    const std::string_view word = peek();
    done_ = word.size() == rest_.size();
    rest_.remove_prefix(done_ ? word.size() : word.size() + 1);
    return word;
  }
  // The value of the next word if it is "<name>value".
  std::optional<std::string_view> value_of(std::string_view name) {
    if (done_ || peek().substr(0, name.size()) != name) return std::nullopt;
    return next().substr(name.size());
  }

 private:
  std::string_view rest_;
  bool done_ = false;
};

std::string_view until(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) refuse(fmt::format("\"{}\" lacks a part", text));
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at + 1);
  return part;
}

Slice to_slice(std::string_view text) {
  constexpr std::uint64_t k_most = std::numeric_limits<std::int64_t>::max();
  const auto digest = oci::Digest::parse_hex(until(text, ':'));
  if (!digest) refuse("the blob has no SHA-256");
  const std::uint64_t blob_size = to_number(until(text, ':'), k_most);
  const std::uint64_t offset = to_number(until(text, ':'), blob_size);
  const std::uint64_t size = to_number(text, blob_size - offset);
  return Slice{{*digest, blob_size}, offset, size};
}

FileType to_type(std::string_view word) {
  for (const auto& [type, letter] : k_letters) {
    if (word.size() == 1 && word.front() == letter) return type;
  }
  refuse(fmt::format("\"{}\" is no type of file", word));
}

void read_attributes(Words& words, oci::Attributes& attributes) {
  constexpr std::uint64_t k_most_id = std::numeric_limits<std::uint32_t>::max();
  attributes.mode = static_cast<std::uint32_t>(to_number(words.next(), 07777, 8));
  attributes.uid = static_cast<std::uint32_t>(to_number(words.next(), k_most_id));
  attributes.gid = static_cast<std::uint32_t>(to_number(words.next(), k_most_id));
  attributes.mtime = to_signed(words.next());
}

oci::Xattrs read_xattrs(Words& words) {
  oci::Xattrs::Map xattrs;
  std::size_t total = 0;
  while (auto word = words.value_of("x:")) {
    std::string_view rest = *word;
    std::string name = unescape_name(until(rest, '='));
    std::string value = unescape(rest);
    total += name.size() + value.size();
    if (total > k_max_xattrs) refuse("extended attributes of more than 1 MiB");
    if (!xattrs.empty() && xattrs.rbegin()->first >= name) {
      refuse("extended attributes are not in order");
    }
    xattrs.emplace_hint(xattrs.end(), std::move(name), std::move(value));
  }
  return xattrs;
}

void read_rest(Words& words, Node& node) {
  if (node.type == FileType::regular) {
    if (const auto blob = words.value_of("blob=")) node.content = to_slice(*blob);
  }
  if (node.type == FileType::symlink) {
    const auto link = words.value_of("link=");
    if (!link) refuse("a symlink without link=");
    node.link = unescape_name(*link);
  }
  if (node.type == FileType::char_device || node.type == FileType::block_device) {
    auto numbers = words.value_of("dev=");
    if (!numbers) refuse("a device without dev=");
    constexpr std::uint64_t k_most = std::numeric_limits<std::uint32_t>::max();
    node.device_major =
        static_cast<std::uint32_t>(to_number(until(*numbers, ':'), k_most));
    node.device_minor = static_cast<std::uint32_t>(to_number(*numbers, k_most));
  }
  if (const auto id = words.value_of("id=")) {
    node.file_id = to_number(*id, std::numeric_limits<std::uint64_t>::max(), 16);
    if (node.file_id == 0) refuse("id=0");
  }
  if (!words.empty() && words.peek() == "implied") {
    words.next();
    node.implied = true;
  }
  if (const auto origin = words.value_of("origin=")) node.origin = unescape_name(*origin);
  node.attributes.xattrs = read_xattrs(words);
}

std::pair<std::string, Node> read_line(std::string_view line) {
  Words words(line);
  Node node;
  node.type = to_type(words.next());
  const std::string_view written = words.next();
  std::string path = written == "." ? std::string() : unescape_name(written);
  if (const char* problem = path_problem(path)) {
    refuse(fmt::format("\"{}\" {}", path, problem));
  }
  if (path.empty() && !is_directory(node)) refuse("the root is no directory");
  if (node.type != FileType::whiteout) {
    read_attributes(words, node.attributes);
    read_rest(words, node);
  }
  if (!words.empty()) refuse(fmt::format("\"{}\" does not belong here", words.peek()));
  return {std::move(path), std::move(node)};
}

void require_header(std::string_view text) {
  if (text.size() > k_max_text || !text.starts_with(k_header))
    refuse("this is no tree: it does not start with \"lithify-tree 1\"");
}

// Remembers the last directory found: its children mostly come one after another.
class ParentCheck {
 public:
  explicit ParentCheck(const Tree::Nodes& nodes) : nodes_(nodes) {}
  void operator()(const std::string& path, const Node& node) {
    const std::string_view parent = parent_of(path);
    if (parent.empty() || parent == last_ || node.type == FileType::whiteout) return;
    const auto above = nodes_.find(parent);
    if (above == nodes_.end() || !is_directory(above->second)) {
      refuse(fmt::format("\"{}\" does not stand in a directory", path));
    }
    last_ = above->first;
  }

 private:
  const Tree::Nodes& nodes_;
  std::string_view last_;
};

}  // namespace

const char* path_problem(std::string_view path) {
  if (path.empty()) return nullptr;
  if (path.size() > k_max_path) return "is longer than 4096 bytes";
  if (path.find('\0') != std::string_view::npos) return "holds a NUL";
  std::size_t depth = 0;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty()) return "has an empty component";
    if (part == "." || part == "..") return "has a \".\" or \"..\" component";
    if (++depth > k_max_depth) return "has more than 256 components";
    begin = end + 1;
  }
  return nullptr;
}

std::string write_tree_text(const Tree::Nodes& nodes) {
  std::string text(k_header);
  text.reserve(k_header.size() + nodes.size() * 176);
  for (const auto& [path, node] : nodes)
    put_line(text, path, node, LocalFiles::refuse);
  return text;
}

oci::Digest digest_of_tree_text(const Tree::Nodes& nodes) {
  oci::Hasher hasher;
  std::string text(k_header);
  for (const auto& [path, node] : nodes) {
    put_line(text, path, node, LocalFiles::by_digest);
    if (text.size() < k_piece) continue;
    hasher.update(text);
    text.clear();
  }
  hasher.update(text);
  return std::move(hasher).finish();
}

Tree::Nodes read_tree_text(std::string_view text) {
  require_header(text);
  Tree::Nodes nodes;
  ParentCheck check_parent(nodes);
  std::size_t line_number = 1;
  text.remove_prefix(k_header.size());
  while (!text.empty()) {
    const auto doing = [&] {
      return fmt::format("reading line {} of a tree", line_number);
    };
    ++line_number;
    oci::during(doing, [&] {
      auto [path, node] = read_line(until(text, '\n'));
      if (nodes.size() >= k_max_nodes) refuse("more than 5,000,000 nodes");
      if (!nodes.empty() && nodes.rbegin()->first >= path) {
        refuse(fmt::format("\"{}\" is not in order", path));
      }
      check_parent(path, node);
      nodes.emplace_hint(nodes.end(), std::move(path), std::move(node));
    });
  }
  return nodes;
}

// A space or '=' within a word is written %XX: the words found are those of contents.
std::vector<oci::Digest> blobs_of_tree_text(std::string_view text) {
  constexpr std::string_view k_word = " blob=";
  constexpr std::size_t k_hex = 64;
  require_header(text);
  std::unordered_set<std::string_view> known;
  std::vector<oci::Digest> blobs;
  std::string_view last;
  for (;;) {
    const void* found = ::memmem(text.data(), text.size(), k_word.data(), k_word.size());
    if (found == nullptr) return blobs;
    text.remove_prefix(static_cast<const char*>(found) - text.data() + k_word.size());
    const std::string_view hex = text.substr(0, k_hex);
    if (hex == last || !known.insert(hex).second) continue;
    last = hex;
    const auto digest = oci::Digest::parse_hex(hex);
    if (!digest) refuse("the blob has no SHA-256");
    blobs.push_back(*digest);
  }
}

}  // namespace lithify
