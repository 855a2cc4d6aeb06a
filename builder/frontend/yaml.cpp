#include "builder/frontend/yaml.h"

#include <algorithm>
#include <libfyaml.h>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "builder/frontend/codes.h"

namespace lithify {

const YamlNode::Entry* YamlNode::find_entry(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key.text == key) return &entry;
  }
  return nullptr;
}

const YamlNode* YamlNode::find(std::string_view key) const {
  const Entry* entry = find_entry(key);
  return entry ? &entry->value : nullptr;
}

oci::Place YamlNode::place_of(std::string_view part) const {
  const std::size_t at = source->slice(begin, end).find(part);
  if (part.empty() || at == std::string_view::npos) return place();
  return source->place(begin + at, begin + at + part.size());
}

namespace {

constexpr std::size_t k_max_bytes = std::size_t{4} << 20;
constexpr std::size_t k_max_values = 100'000;
constexpr std::size_t k_max_depth = 32;

template <class T, void (*destroy)(T*)>
struct Destroy {
  void operator()(T* handle) const { destroy(handle); }
};
using Diag = std::unique_ptr<fy_diag, Destroy<fy_diag, fy_diag_destroy>>;
using Parser = std::unique_ptr<fy_parser, Destroy<fy_parser, fy_parser_destroy>>;

Diag make_diag() {
  fy_diag_cfg config{};
  fy_diag_cfg_default(&config);
  config.fp = nullptr;
  config.output_fn = [](fy_diag*, void*, const char*, std::size_t) {};
  config.colorize = false;
  Diag diag(fy_diag_create(&config));
  if (diag) fy_diag_set_collect_errors(diag.get(), true);
  return diag;
}

// The token a value starts with, and what YAML allows beside it.
struct Opening {
  fy_token* token = nullptr;
  fy_token* anchor = nullptr;
  fy_token* tag = nullptr;
};

// One collection that is still open, and the key that waits for its value.
struct Open {
  YamlNode node;
  std::optional<YamlNode> key;
  std::map<std::string, std::size_t> keys;  // to the index in node.entries
  bool flow = false;
  std::size_t bracket = 0;  // where it was opened, if flow
};

class TreeBuilder {
 public:
  TreeBuilder(const std::string& file, std::string_view text)
      : source_(std::make_shared<const SourceText>(file, text)) {}

  YamlNode build() {
    if (source_->text().size() > k_max_bytes)
      refuse(0, 0, code::k_too_large,
             fmt::format("the file is larger than {} MiB", k_max_bytes >> 20));
    source_->check_characters();
    parse();
    check_tabs();
    root_.source = source_;  // also when the file says nothing
    return std::move(root_);
  }

 private:
  oci::Error error(std::size_t begin, std::size_t end, const char* id,
                   const std::string& message, const std::string& label = "") const {
    oci::Error error(oci::Errc::bad_input, message);
    error.number(id).at(source_->place(begin, end), label);
    return error;
  }
  [[noreturn]] void refuse(std::size_t begin, std::size_t end, const char* id,
                           const std::string& message,
                           const std::string& hint = "") const {
    oci::Error e = error(begin, end, id, message);
    if (!hint.empty()) e.add_hint(hint);
    throw e;
  }
  [[noreturn]] void refuse(fy_token* token, const char* id, const std::string& message,
                           const std::string& hint = "") const {
    refuse(begin_of(token), end_of(token), id, message, hint);
  }

  std::size_t begin_of(fy_token* token) const {
    const fy_mark* mark = token ? fy_token_start_mark(token) : nullptr;
    return mark ? std::min(mark->input_pos, source_->text().size()) : last_;
  }
  std::size_t end_of(fy_token* token) const {
    const fy_mark* mark = token ? fy_token_end_mark(token) : nullptr;
    return mark ? std::min(mark->input_pos, source_->text().size()) : last_;
  }

  void parse() {
    const Diag diag = make_diag();
    fy_parse_cfg config{};
    config.flags = static_cast<fy_parse_cfg_flags>(
        FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE);
    config.diag = diag.get();
    const Parser parser(diag ? fy_parser_create(&config) : nullptr);
    const std::string_view text = source_->text();
    if (!parser || fy_parser_set_string(parser.get(), text.data(), text.size()) != 0)
      throw oci::Error(oci::Errc::machine, "the YAML parser could not be started");
    const auto release = [&](fy_event* event) {
      fy_parser_event_free(parser.get(), event);
    };
    while (fy_event* raw = fy_parser_parse(parser.get())) {
      const std::unique_ptr<fy_event, decltype(release)> event(raw, release);
      handle(*event);
    }
    if (fy_parser_get_stream_error(parser.get())) syntax_error(*diag);
  }

  void handle(const fy_event& event) {
    switch (event.type) {
      case FYET_DOCUMENT_START:
        return start_document(event.document_start);
      case FYET_ALIAS:
        refuse(begin_of(event.alias.anchor) - 1, end_of(event.alias.anchor),
               code::k_anchor, "aliases are not part of build files",
               "write the value out, or use an argument: `$(args.name)`");
      case FYET_SCALAR:
        return scalar(event.scalar);
      case FYET_SEQUENCE_START:
        return open(YamlNode::Kind::list,
                    {event.sequence_start.sequence_start, event.sequence_start.anchor,
                     event.sequence_start.tag});
      case FYET_MAPPING_START:
        return open(YamlNode::Kind::map,
                    {event.mapping_start.mapping_start, event.mapping_start.anchor,
                     event.mapping_start.tag});
      case FYET_SEQUENCE_END:
        return close(event.sequence_end.sequence_end);
      case FYET_MAPPING_END:
        return close(event.mapping_end.mapping_end);
      default:
        return;
    }
  }

  void start_document(const fy_event_document_start_data& start) {
    if (++documents_ > 1)
      refuse(begin_of(start.document_start), begin_of(start.document_start) + 3,
             code::k_documents, "a build file is one document; a second one starts here");
    fy_document_state* state = start.document_state;
    if (!state) return;
    if (!fy_document_state_version_explicit(state) &&
        !fy_document_state_tags_explicit(state))
      return;
    std::size_t at = 0;
    for (int line = 1; line <= source_->line_count(); ++line) {
      at = source_->line_begin(line);
      if (source_->slice(at, at + 1) == "%") break;
    }
    refuse(at, source_->text().find('\n', at), code::k_directive,
           "directives are not part of build files", "remove this line");
  }

  void check_opening(const Opening& opening) const {
    if (opening.anchor)
      refuse(begin_of(opening.anchor) - 1, end_of(opening.anchor), code::k_anchor,
             "anchors are not part of build files",
             "write the value out, or use an argument: `$(args.name)`");
    if (opening.tag)
      refuse(opening.tag, code::k_tag, "tags are not part of build files",
             "remove the tag: a value's type is decided by its field");
    if (stack_.size() >= k_max_depth)
      refuse(opening.token, code::k_depth,
             fmt::format("values are nested more than {} deep", k_max_depth));
    if (values_ >= k_max_values)
      refuse(opening.token, code::k_too_large,
             fmt::format("the file has more than {} values", k_max_values));
  }

  YamlNode make(YamlNode::Kind kind, fy_token* token) {
    ++values_;
    YamlNode node;
    node.kind = kind;
    node.source = source_;
    node.begin = begin_of(token);
    node.end = node.begin;
    last_ = node.begin;
    return node;
  }

  void scalar(const fy_event_scalar_data& data) {
    check_opening({data.value, data.anchor, data.tag});
    YamlNode node = make(YamlNode::Kind::scalar, data.value);
    node.end = end_of(data.value);
    last_ = node.end;
    std::size_t size = 0;
    const char* text = data.value ? fy_token_get_text(data.value, &size) : nullptr;
    if (text) node.text.assign(text, size);
    if (!is_utf8(node.text))  // by way of an escape
      refuse(data.value, code::k_encoding, "this is not UTF-8");
    const fy_scalar_style style =
        data.value ? fy_token_scalar_style(data.value) : FYSS_PLAIN;
    const bool quoted = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    if (quoted && node.begin > 0) {  // the marks stand inside the quotes
      --node.begin;
      last_ = node.end = std::min(node.end + 1, source_->text().size());
    }
    const bool block = style == FYSS_LITERAL || style == FYSS_FOLDED;
    if (block) blocks_.emplace_back(node.begin, node.end);
    node.multiline = block || source_->slice(node.begin, node.end).find('\n') !=
                                  std::string_view::npos;
    const bool plain = style == FYSS_PLAIN;
    if (plain && (node.text.empty() || node.text == "null" || node.text == "~"))
      node.kind = YamlNode::Kind::null;
    if (plain && node.text == "<<" && expects_key())
      refuse(data.value, code::k_merge_key, "merge keys are not part of build files",
             "write the entries out, or build `from` a common image");
    place_value(std::move(node));
  }

  bool expects_key() const {
    return !stack_.empty() && stack_.back().node.is_map() && !stack_.back().key;
  }

  void open(YamlNode::Kind kind, const Opening& opening) {
    check_opening(opening);
    if (expects_key())
      refuse(opening.token, code::k_complex_key, "a key is a single word or text");
    Open collection;
    collection.node = make(kind, opening.token);
    collection.bracket = collection.node.begin;
    const std::string_view first =
        source_->slice(collection.bracket, collection.bracket + 1);
    collection.flow = first == "{" || first == "[";
    stack_.push_back(std::move(collection));
  }

  void close(fy_token* token) {
    Open done = std::move(stack_.back());
    stack_.pop_back();
    YamlNode& node = done.node;
    if (!node.entries.empty()) {
      node.begin = node.entries.front().key.begin;
      node.end = node.entries.back().value.end;
    } else if (!node.items.empty() && !done.flow) {
      node.end = node.items.back().end;
    } else {
      node.end = std::max(end_of(token), node.begin);
    }
    last_ = std::max(last_, node.end);
    place_value(std::move(node));
  }

  void place_value(YamlNode node) {
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = stack_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.key) {
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    } else {
      take_key(parent, std::move(node));
    }
  }

  void take_key(Open& map, YamlNode key) const {
    if (key.is_null() && key.text.empty())
      refuse(key.begin, key.begin + 1, code::k_complex_key, "a key is missing here");
    key.kind = YamlNode::Kind::scalar;  // `null:` is a key like any other
    const auto [known, fresh] = map.keys.emplace(key.text, map.node.entries.size());
    if (!fresh) {
      const YamlNode& first = map.node.entries[known->second].key;
      oci::Error e =
          error(key.begin, key.end, code::k_duplicate,
                fmt::format("`{}` is defined twice", key.text), "second definition");
      e.also_at(first.place(), "first definition");
      e.add_hint("rename or remove one of the two");
      throw e;
    }
    map.key = std::move(key);
  }

  // Outside block scalars, white space at the start of a line is spaces.
  void check_tabs() const {
    auto block = blocks_.begin();
    for (int line = 1; line <= source_->line_count(); ++line) {
      const std::size_t begin = source_->line_begin(line);
      while (block != blocks_.end() && block->second <= begin)
        ++block;
      if (block != blocks_.end() && block->first < begin) continue;
      check_tab(line);
    }
  }

  void check_tab(int line) const {
    const std::size_t begin = source_->line_begin(line);
    const std::string_view rest = source_->text().substr(begin);
    const std::size_t spaces = std::min(rest.find_first_not_of(" \t\r"), rest.size());
    const std::size_t tab = rest.substr(0, spaces).find('\t');
    const bool blank = spaces == rest.size() || rest[spaces] == '\n';
    if (tab != std::string_view::npos && !blank)
      refuse(begin + tab, begin + tab + 1, code::k_tab, "a tab is no indentation",
             "use spaces");
  }

  [[noreturn]] void syntax_error(fy_diag& diag) const {
    void* previous = nullptr;
    const fy_diag_error* first = fy_diag_errors_iterate(&diag, &previous);
    std::size_t at = last_;
    std::string what = "not understood";
    if (first) {
      check_tab(first->line);
      if (first->line > 0) at = source_->offset(first->line, first->column);
      if (first->msg) what = first->msg;
    }
    oci::Error e = error(at, at + 1, code::k_syntax, "the file is not YAML here", what);
    const std::vector<std::size_t> open = open_brackets(at);
    if (!open.empty())
      e.also_at(source_->place(open.back(), open.back() + 1), "opened here");
    throw e;
  }

  // The brackets that are open at an offset the parser gave up at: those it told about,
  // and those in the text it had only looked ahead at.
  std::vector<std::size_t> open_brackets(std::size_t until) const {
    std::vector<std::size_t> open;
    for (const Open& collection : stack_) {
      if (collection.flow) open.push_back(collection.bracket);
    }
    const std::size_t from = open.empty() ? last_ : std::max(last_, open.back() + 1);
    const std::string_view text = source_->text().substr(0, until);
    char before = '\n';  // the last character that was no space
    for (std::size_t at = from; at < text.size(); ++at) {
      const char c = text[at];
      const bool value_starts =
          std::string_view("\n:-,[{").find(before) != std::string_view::npos;
      if ((c == '[' || c == '{') && value_starts) open.push_back(at);
      if ((c == ']' || c == '}') && !open.empty()) open.pop_back();
      if ((c == '"' || c == '\'') && value_starts)
        at = std::min(text.find(c, at + 1), text.size());
      if (c == '#' && at > 0 && text[at - 1] == ' ') at = text.find('\n', at) - 1;
      if (at >= text.size()) break;
      if (text[at] != ' ') before = text[at];
    }
    return open;
  }

  std::shared_ptr<const SourceText> source_;
  std::vector<Open> stack_;
  std::vector<std::pair<std::size_t, std::size_t>> blocks_;  // block scalars, in order
  YamlNode root_;
  std::size_t last_ = 0;  // where the last token ended
  std::size_t values_ = 0;
  int documents_ = 0;
};

}  // namespace

YamlNode parse_yaml(const std::string& file, std::string_view text) {
  return TreeBuilder(file, text).build();
}

}  // namespace lithify
