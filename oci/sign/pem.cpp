// pem: lines into blocks, and back.
#include "oci/sign/pem.h"

#include <optional>

#include <fmt/format.h>

#include "oci/base/base64.h"
#include "oci/base/error.h"
#include "oci/sign/strict_base64.h"

namespace oci {

namespace {

constexpr std::size_t k_max_blocks = 16;
constexpr std::size_t k_line = 64;
constexpr std::string_view k_begin = "-----BEGIN ";
constexpr std::string_view k_end = "-----END ";
constexpr std::string_view k_dashes = "-----";

Error broken(std::string_view what, std::string_view finding) {
  return Error(Errc::bad_input, fmt::format("{} {}", what, finding));
}

// Takes the first line off `text`, without its end and blanks at its end.
std::string_view next_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  const std::size_t last = line.find_last_not_of(" \t\r");
  return line.substr(0, last + 1);
}

// The label of a BEGIN or END line; nullopt if it is none.
std::optional<std::string_view> label_of(std::string_view line, std::string_view start) {
  if (line.size() < start.size() + k_dashes.size() || !line.starts_with(start) ||
      !line.ends_with(k_dashes)) {
    return std::nullopt;
  }
  return line.substr(start.size(), line.size() - start.size() - k_dashes.size());
}

// The block whose BEGIN line was just taken off `rest`.
PemBlock read_block(std::string_view label, std::string_view& rest,
                    std::string_view what) {
  std::string body;
  body.reserve(rest.size());  // never grows, so that one wipe is enough
  for (;;) {
    if (rest.empty()) throw broken(what, "ends before its END line: it is cut off");
    const std::string_view line = next_line(rest);
    if (const auto end = label_of(line, k_end)) {
      if (*end != label) throw broken(what, "begins as one thing and ends as another");
      break;
    }
    if (line.find(':') != std::string_view::npos) {
      throw broken(what, "has header lines, which OpenSSL's old encryption puts there")
          .add_hint("convert it: openssl pkcs8 -topk8 -in OLD -out NEW");
    }
    body += line;
  }
  const Secret encoded(std::move(body));
  std::optional<std::string> bytes = strict_base64_decode(encoded.reveal());
  if (!bytes || bytes->empty()) {
    throw broken(what, "has something else than base64 between its lines");
  }
  return {std::string(label), Secret(std::move(*bytes))};
}

}  // namespace

std::vector<PemBlock> parse_pem(std::string_view text, std::string_view what) {
  if (text.size() > k_max_key_file) {
    throw broken(what, fmt::format("has {} bytes, more than the {} a key may have",
                                   text.size(), k_max_key_file));
  }
  std::vector<PemBlock> blocks;
  while (!text.empty()) {
    const auto label = label_of(next_line(text), k_begin);
    if (!label) continue;
    if (blocks.size() == k_max_blocks) throw broken(what, "has too many PEM blocks");
    blocks.push_back(read_block(*label, text, what));
  }
  if (blocks.empty()) {
    throw broken(what,
                 "has no PEM block: a line like -----BEGIN PUBLIC KEY----- is "
                 "missing");
  }
  return blocks;
}

std::string write_pem(std::string_view label, std::string_view bytes) {
  const Secret encoded(base64_encode(bytes));
  const std::string_view body = encoded.reveal();
  std::string pem = fmt::format("{}{}{}\n", k_begin, label, k_dashes);
  pem.reserve(body.size() + body.size() / k_line + 4 * k_line);
  for (std::size_t at = 0; at < body.size(); at += k_line) {
    pem += body.substr(at, k_line);
    pem += '\n';
  }
  pem += fmt::format("{}{}{}\n", k_end, label, k_dashes);
  return pem;
}

}  // namespace oci
