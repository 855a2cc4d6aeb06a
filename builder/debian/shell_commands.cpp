// shell_commands: tokens first, then the few constructs that decide when a command runs.
#include "builder/debian/shell_commands.h"

#include <algorithm>
#include <utility>

namespace lithify {
namespace {

constexpr std::size_t k_max_script = 4 << 20;
constexpr std::size_t k_max_depth = 100;

struct Token {
  enum class Kind { word, separator, open, close, arm_end, writes, reads } kind;
  ShellWord word = {};         // of words
  std::string text = {};       // of separators: ";", "&", "|", "\n", "&&", "||", "&-"
  std::string debhelper = {};  // the block it stands in
  bool quoted = false;         // a quoted word is no keyword
};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}
bool ends_word(char c) {
  return is_blank(c) || std::string_view("\n;&|()<>").find(c) != std::string_view::npos;
}
bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         c == '_';
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text.substr(0, k_max_script)) {}

  std::vector<Token> read() {
    while (at_ < text_.size())
      step();
    push(Token::Kind::separator, "\n");
    return std::move(tokens_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void push(Token::Kind kind, std::string text = {}) {
    tokens_.push_back({kind, {}, std::move(text), debhelper_, false});
  }

  void step() {
    const char c = peek();
    if (is_blank(c)) {
      ++at_;
    } else if (c == '\\' && peek(1) == '\n') {
      at_ += 2;
    } else if (c == '#') {
      comment();
    } else if (c == '\n') {
      ++at_;
      push(Token::Kind::separator, "\n");
      here_documents();
    } else if (c == ';' || c == '&' || c == '|') {
      separator();
    } else if (c == '(' || c == ')') {
      ++at_;
      push(c == '(' ? Token::Kind::open : Token::Kind::close);
    } else if (c == '<' || c == '>') {
      redirect();
    } else {
      word();
    }
  }

  void comment() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    const std::string_view line = text_.substr(at_, end - at_);
    constexpr std::string_view k_start = "# Automatically added by ";
    if (line.starts_with(k_start)) debhelper_ = line.substr(k_start.size());
    if (line.starts_with("# End automatically added")) debhelper_.clear();
    at_ = end;
  }

  void separator() {
    const char c = peek();
    if (c == '&' && peek(1) == '>') {  // bash: &>file
      ++at_;
      redirect();
      return;
    }
    std::string text(1, c);
    ++at_;
    if (peek() == c) {
      text += c;
      ++at_;
    }
    push(Token::Kind::separator, std::move(text));
  }

  void redirect() {
    // A number right before it is its file descriptor, not a word.
    if (!tokens_.empty() && at_ > 0 && text_[at_ - 1] >= '0' && text_[at_ - 1] <= '9') {
      const Token& last = tokens_.back();
      if (last.kind == Token::Kind::word && last.word.text.size() == 1 && !last.quoted) {
        tokens_.pop_back();
      }
    }
    if (text_.substr(at_, 2) == "<<") return here_start();
    const bool writes = peek() == '>' || text_.substr(at_, 2) == "<>";
    while (peek() == '>' || peek() == '<' || peek() == '|')
      ++at_;
    if (peek() == '&') {  // 2>&1
      ++at_;
      while (!ends_word(peek()) && at_ < text_.size())
        ++at_;
      return;
    }
    push(writes ? Token::Kind::writes : Token::Kind::reads);
  }

  void here_start() {
    at_ += 2;
    bool tabs = false;
    if (peek() == '-') {
      tabs = true;
      ++at_;
    }
    while (is_blank(peek()))
      ++at_;
    std::string end;
    while (at_ < text_.size() && !ends_word(peek())) {
      if (std::string_view("'\"\\").find(peek()) == std::string_view::npos) end += peek();
      ++at_;
    }
    here_.push_back({end, tabs});
  }

  void here_documents() {
    for (const auto& [end, tabs] : here_) {
      while (at_ < text_.size()) {
        const std::size_t stop = std::min(text_.find('\n', at_), text_.size());
        std::string_view line = text_.substr(at_, stop - at_);
        while (tabs && line.starts_with('\t'))
          line.remove_prefix(1);
        at_ = std::min(stop + 1, text_.size());
        if (line == end) break;
      }
    }
    here_.clear();
  }

  void word() {
    Token token{Token::Kind::word, {}, {}, debhelper_, false};
    while (at_ < text_.size() && !ends_word(peek())) {
      const char c = peek();
      if (c == '\'') {
        token.quoted = true;
        const std::size_t end = std::min(text_.find('\'', at_ + 1), text_.size());
        token.word.text += text_.substr(at_ + 1, end - at_ - 1);
        at_ = std::min(end + 1, text_.size());
      } else if (c == '"') {
        token.quoted = true;
        double_quoted(token.word);
      } else if (c == '\\') {
        if (peek(1) != '\n' && at_ + 1 < text_.size()) token.word.text += peek(1);
        at_ = std::min(at_ + 2, text_.size());
      } else if (c == '$' || c == '`') {
        expansion(token.word);
      } else {
        if (std::string_view("*?[~").find(c) != std::string_view::npos) {
          token.word.literal = token.word.literal && (c == '[' || c == '~');
        }
        token.word.text += c;
        ++at_;
      }
    }
    tokens_.push_back(std::move(token));
  }

  void double_quoted(ShellWord& word) {
    ++at_;
    while (at_ < text_.size() && peek() != '"') {
      if (peek() == '\\' && at_ + 1 < text_.size()) {
        if (std::string_view("$`\"\\\n").find(peek(1)) == std::string_view::npos) {
          word.text += '\\';
        }
        if (peek(1) != '\n') word.text += peek(1);
        at_ += 2;
      } else if (peek() == '$' || peek() == '`') {
        expansion(word);
      } else {
        word.text += peek();
        ++at_;
      }
    }
    at_ = std::min(at_ + 1, text_.size());
  }

  void expansion(ShellWord& word) {
    const std::size_t start = at_;
    if (peek() == '`') {
      at_ = std::min(text_.find('`', at_ + 1), text_.size() - 1) + 1;
    } else if (peek(1) == '(') {
      skip_nested('(', ')');
    } else if (peek(1) == '{') {
      skip_nested('{', '}');
    } else if (is_name_char(peek(1))) {
      ++at_;
      if (peek() >= '0' && peek() <= '9') {
        ++at_;
      } else {
        while (is_name_char(peek()))
          ++at_;
      }
    } else {
      at_ += peek(1) == '\0' || ends_word(peek(1)) || peek(1) == '"' ? 1 : 2;
    }
    at_ = std::min(at_, text_.size());
    const std::string_view text = text_.substr(start, at_ - start);
    if (text == "$DPKG_ROOT" || text == "${DPKG_ROOT}" || text == "${DPKG_ROOT:-}")
      return;
    word.text += text;
    word.literal = false;
  }

  void skip_nested(char open, char close) {
    ++at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      if (peek() == '\\') {
        ++at_;
      } else if (peek() == '\'' && open == '(') {
        at_ = std::min(text_.find('\'', at_ + 1), text_.size());
      } else if (peek() == open) {
        ++depth;
      } else if (peek() == close && --depth == 0) {
        ++at_;
        return;
      }
    }
  }

  struct Here {
    std::string end;
    bool tabs;
  };

  std::string_view text_;
  std::size_t at_ = 0;
  std::string debhelper_;
  std::vector<Here> here_;
  std::vector<Token> tokens_;
};

// One open construct.
struct Frame {
  enum class Kind { if_, loop, case_, brace, subshell, function } kind;
  bool skipped = false;  // a first installation does not run this branch
  bool in_condition = false;
  bool upgrade = false;       // of an if: its condition holds on upgrades only
  bool about_action = false;  // of a case: it looks at "$1"
  bool in_pattern = false;
  std::string function = {};
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  std::vector<ShellCommand> read() {
    while (at_ < tokens_.size()) {
      const Token& token = tokens_[at_++];
      take(token);
    }
    return std::move(commands_);
  }

 private:
  using Kind = Token::Kind;

  void take(const Token& token) {
    switch (token.kind) {
      case Kind::word:
        return take_word(token);
      case Kind::writes:
      case Kind::reads:
        if (at_ < tokens_.size() && tokens_[at_].kind == Kind::word) {
          if (token.kind == Kind::writes) redirects_.push_back(tokens_[at_].word);
          ++at_;
        }
        return;
      case Kind::open:
        return open();
      case Kind::close:
        return close();
      default:
        flush(token);
        if (token.text == ";;" && top(Frame::Kind::case_)) {
          frames_.back().in_pattern = true;
        }
    }
  }

  // Nobody nests as deep as k_max_depth; who does is not read further.
  void push(Frame frame) {
    frames_.push_back(std::move(frame));
    if (frames_.size() > k_max_depth) at_ = tokens_.size();
  }

  bool top(Frame::Kind kind) const {
    return !frames_.empty() && frames_.back().kind == kind;
  }

  void open() {
    // "name()" starts a function.
    if (words_.size() == 1 && at_ < tokens_.size() && tokens_[at_].kind == Kind::close) {
      ++at_;
      pending_function_ = words_[0].text;
      words_.clear();
      return;
    }
    if (top(Frame::Kind::case_) && frames_.back().in_pattern) return;
    words_.clear();
    push({.kind = Frame::Kind::subshell});
  }

  void close() {
    if (top(Frame::Kind::case_) && frames_.back().in_pattern) {
      Frame& frame = frames_.back();
      frame.in_pattern = false;
      frame.skipped = frame.about_action && !pattern_matches_configure();
      words_.clear();
      pattern_.clear();
      return;
    }
    if (!top(Frame::Kind::subshell)) return;
    flush({});
    frames_.pop_back();
  }

  bool pattern_matches_configure() const {
    return std::any_of(pattern_.begin(), pattern_.end(), [](const std::string& one) {
      return one == "configure" || one == "install" || one == "*";
    });
  }

  void take_word(const Token& token) {
    if (top(Frame::Kind::case_) && frames_.back().in_pattern) {
      if (token.word.text == "esac" && !token.quoted) {
        frames_.pop_back();
        pattern_.clear();
      } else {
        pattern_.push_back(token.word.text);
      }
      return;
    }
    if (words_.empty() && !token.quoted && keyword(token.word.text)) return;
    const bool assignment = words_.empty() && is_assignment(token.word.text);
    if (!assignment) words_.push_back(token.word);
    debhelper_ = token.debhelper;
  }

  static bool is_assignment(std::string_view text) {
    const std::size_t equals = text.find('=');
    return equals != std::string_view::npos && equals > 0 &&
           std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(equals),
                       is_name_char);
  }

  // Handles reserved words; false if `text` is none.
  bool keyword(std::string_view text) {
    if (text == "if") {
      push({.kind = Frame::Kind::if_, .in_condition = true});
    } else if (text == "then" || text == "elif" || text == "else" || text == "fi") {
      if_word(text);
    } else if (text == "while" || text == "until") {
      push({.kind = Frame::Kind::loop});
    } else if (text == "for") {
      push({.kind = Frame::Kind::loop});
      skip_to_separator();
    } else if (text == "done") {
      pop(Frame::Kind::loop);
    } else if (text == "case") {
      case_word();
    } else if (text == "esac") {
      pop(Frame::Kind::case_);
    } else if (text == "{") {
      push(
          {.kind = pending_function_.empty() ? Frame::Kind::brace : Frame::Kind::function,
           .function = std::move(pending_function_)});
      pending_function_.clear();
    } else if (text == "}") {
      if (!frames_.empty() && (top(Frame::Kind::brace) || top(Frame::Kind::function))) {
        frames_.pop_back();
      }
    } else {
      return text == "!" || text == "do" || text == "time" || text == "function";
    }
    return true;
  }

  void pop(Frame::Kind kind) {
    if (top(kind)) frames_.pop_back();
  }

  void if_word(std::string_view text) {
    if (!top(Frame::Kind::if_)) return;
    Frame& frame = frames_.back();
    if (text == "fi") {
      frames_.pop_back();
    } else if (text == "then") {
      frame.in_condition = false;
      frame.skipped = frame.upgrade;
    } else {
      frame.in_condition = text == "elif";
      frame.skipped = false;
      frame.upgrade = false;
    }
  }

  void case_word() {
    Frame frame{.kind = Frame::Kind::case_};
    while (at_ < tokens_.size() && tokens_[at_].kind == Kind::word) {
      const Token& token = tokens_[at_++];
      if (!token.quoted && token.word.text == "in") break;
      frame.about_action = token.word.text == "$1" || token.word.text == "${1}";
    }
    frame.in_pattern = true;
    push(std::move(frame));
  }

  void skip_to_separator() {
    while (at_ < tokens_.size() && tokens_[at_].kind != Kind::separator)
      ++at_;
  }

  // Whether a condition can only hold when an older version was there.
  static bool asks_for_upgrade(const ShellCommand& command) {
    const auto has = [&](std::string_view text) {
      return std::any_of(command.words.begin(), command.words.end(),
                         [&](const ShellWord& word) { return word.text == text; });
    };
    if (command.name() == "dpkg" && has("--compare-versions")) return true;
    if (command.name() != "[" && command.name() != "test") return false;
    const bool is_action = has("$1") && has("=") && !has("configure") && !has("install");
    const bool has_old = (has("-n") || has("!=")) && (has("$2") || has("${2:-}"));
    return is_action || has_old;
  }

  void flush(const Token& token) {
    if (words_.empty() && redirects_.empty()) return;
    ShellCommand command;
    command.words = std::exchange(words_, {});
    command.redirects = std::exchange(redirects_, {});
    command.debhelper = std::exchange(debhelper_, {});
    for (const Frame& frame : frames_) {
      command.not_on_install = command.not_on_install || frame.skipped;
      if (frame.kind == Frame::Kind::function) command.function = frame.function;
    }
    command.not_on_install = command.not_on_install || rest_of_list_is_upgrade_;
    const bool upgrade = asks_for_upgrade(command);
    if (top(Frame::Kind::if_) && frames_.back().in_condition) {
      // "a || b": either is enough, so nothing is known.
      if (token.text == "||" || last_separator_ == "||") {
        frames_.back().upgrade = false;
      } else if (upgrade) {
        frames_.back().upgrade = true;
      }
    }
    last_separator_ = token.text;
    rest_of_list_is_upgrade_ =
        token.text == "&&" && (upgrade || rest_of_list_is_upgrade_);
    commands_.push_back(std::move(command));
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::vector<Frame> frames_;
  std::vector<ShellWord> words_;
  std::vector<ShellWord> redirects_;
  std::vector<std::string> pattern_;
  std::string debhelper_;
  std::string pending_function_;
  std::string last_separator_;
  bool rest_of_list_is_upgrade_ = false;
  std::vector<ShellCommand> commands_;
};

}  // namespace

std::vector<ShellCommand> read_commands(std::string_view script) {
  return Parser(Tokenizer(script).read()).read();
}

}  // namespace lithify
