#include "builder/plan/pattern.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "oci/base/error.h"

namespace lithify {

class PatternCompiler {
 public:
  using Program = Pattern::Program;
  using Instruction = Pattern::Instruction;
  using Set = std::bitset<256>;

  explicit PatternCompiler(std::string_view expression) : rest_(expression) {}

  void compile(Pattern& pattern) {
    pattern.at_begin_ = rest_.starts_with('^');
    if (pattern.at_begin_) rest_.remove_prefix(1);
    pattern.at_end_ = rest_.ends_with('$') && !rest_.ends_with("\\$");
    if (pattern.at_end_) rest_.remove_suffix(1);
    pattern.program_ = alternatives();
    if (!rest_.empty()) refuse("a `)` closes nothing");
  }

 private:
  static constexpr std::size_t k_max_program = 5000;
  static constexpr int k_max_depth = 32;

  [[noreturn]] static void refuse(const std::string& why) {
    throw oci::Error(oci::Errc::bad_input, why);
  }

  static void append(Program& program, const Program& more) {
    if (program.size() + more.size() > k_max_program) refuse("the pattern is too large");
    program.insert(program.end(), more.begin(), more.end());
  }

  static Instruction split(int first, int second) {
    return {Instruction::Op::split, {}, first, second};
  }

  Program alternatives() {
    if (++depth_ > k_max_depth) refuse("groups are nested too deep");
    Program left = sequence();
    while (rest_.starts_with('|')) {
      rest_.remove_prefix(1);
      const Program right = sequence();
      Program both{split(1, static_cast<int>(left.size()) + 2)};
      append(both, left);
      const int over = static_cast<int>(right.size()) + 1;
      append(both, {split(over, over)});
      append(both, right);
      left = std::move(both);
    }
    --depth_;
    return left;
  }

  Program sequence() {
    Program program;
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')')
      append(program, repeated(atom()));
    return program;
  }

  Program atom() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    switch (c) {
      case '(':
        return group();
      case '[':
        return one(bracket());
      case '.':
        return one(Set().set());
      case '\\':
        return one(escape());
      case '*':
      case '+':
      case '?':
      case '{':
        refuse(fmt::format("nothing stands before `{}`", c));
      case '^':
      case '$':
        refuse(fmt::format("`{}` belongs to the ends of the pattern", c));
      default:
        return one(single(c));
    }
  }

  static Program one(const Set& set) { return {{Instruction::Op::byte, set, 1, 1}}; }

  static Set single(char c) { return Set().set(static_cast<unsigned char>(c)); }

  Program group() {
    if (rest_.starts_with("?:")) {
      rest_.remove_prefix(2);
    } else if (rest_.starts_with('?')) {
      refuse("only plain groups and `(?:` are known");
    }
    Program inner = alternatives();
    if (!rest_.starts_with(')')) refuse("a `(` is not closed");
    rest_.remove_prefix(1);
    return inner;
  }

  static Set range(char low, char high) {
    Set set;
    for (int c = static_cast<unsigned char>(low); c <= static_cast<unsigned char>(high);
         ++c)
      set.set(static_cast<std::size_t>(c));
    return set;
  }

  Set escape() {
    if (rest_.empty()) refuse("a `\\` stands at the end");
    const char c = rest_[0];
    rest_.remove_prefix(1);
    const Set digits = range('0', '9');
    const Set word = digits | range('a', 'z') | range('A', 'Z') | single('_');
    const Set space = range('\t', '\r') | single(' ');
    switch (c) {
      case 'd':
        return digits;
      case 'D':
        return ~digits;
      case 'w':
        return word;
      case 'W':
        return ~word;
      case 's':
        return space;
      case 'S':
        return ~space;
      default:
        break;
    }
    if ((word & ~single('_')).test(static_cast<unsigned char>(c)))
      refuse(fmt::format("`\\{}` is not known", c));
    return single(c);
  }

  Set bracket() {
    Set set;
    const bool negated = rest_.starts_with('^');
    if (negated) rest_.remove_prefix(1);
    for (bool first = true; first || !rest_.starts_with(']'); first = false) {
      if (rest_.empty()) refuse("a `[` is not closed");
      const char low = rest_[0];
      rest_.remove_prefix(1);
      if (low == '\\') {
        set |= escape();
      } else if (rest_.size() >= 2 && rest_[0] == '-' && rest_[1] != ']') {
        const char high = rest_[1];
        rest_.remove_prefix(2);
        if (static_cast<unsigned char>(high) < static_cast<unsigned char>(low) ||
            high == '\\')
          refuse("a range is the wrong way round");
        set |= range(low, high);
      } else {
        set |= single(low);
      }
    }
    rest_.remove_prefix(1);
    return negated ? ~set : set;
  }

  Program repeated(Program atom) {
    constexpr int k_no_end = -1;
    while (!rest_.empty()) {
      int least = 0, most = k_no_end;
      if (rest_[0] == '{') {
        count(least, most);
      } else if (rest_[0] == '+') {
        least = 1;
      } else if (rest_[0] == '?') {
        most = 1;
      } else if (rest_[0] != '*') {
        break;
      }
      rest_.remove_prefix(1);
      atom = repeat(atom, least, most);
    }
    return atom;
  }

  // "{m}", "{m,}" or "{m,n}"; leaves the brace for the caller to remove.
  void count(int& least, int& most) {
    const std::size_t close = rest_.find('}');
    if (close == std::string_view::npos) refuse("a `{` is not closed");
    const char* at = rest_.data() + 1;
    const char* end = rest_.data() + close;
    auto read = std::from_chars(at, end, least);
    bool fits = read.ec == std::errc();
    if (fits && read.ptr == end) {
      most = least;
    } else if (fits && *read.ptr == ',' && read.ptr + 1 != end) {
      read = std::from_chars(read.ptr + 1, end, most);
      fits = read.ec == std::errc() && read.ptr == end && most >= least;
    } else {
      fits = fits && *read.ptr == ',';
    }
    if (!fits || least < 0 || least > 1000 || most > 1000)
      refuse("a repetition is `{m}`, `{m,}` or `{m,n}`, up to 1000");
    rest_.remove_prefix(close);
  }

  static Program repeat(const Program& atom, int least, int most) {
    Program program;
    for (int i = 0; i < least; ++i)
      append(program, atom);
    const int size = static_cast<int>(atom.size());
    for (int i = least; i < most; ++i) {
      append(program, {split(1, size + 1)});
      append(program, atom);
    }
    if (most < 0) {
      append(program, {split(1, size + 2)});
      append(program, atom);
      append(program, {split(-size - 1, -size - 1)});
    }
    return program;
  }

  std::string_view rest_;
  int depth_ = 0;
};

std::optional<Pattern> Pattern::compile(std::string_view expression, std::string& why) {
  try {
    Pattern pattern;
    PatternCompiler(expression).compile(pattern);
    return pattern;
  } catch (const oci::Error& error) {
    why = error.what();
    return std::nullopt;
  }
}

void Pattern::add_state(std::vector<std::size_t>& states, std::vector<bool>& known,
                        std::size_t at) const {
  std::vector<std::size_t> pending{at};
  while (!pending.empty()) {
    at = pending.back();
    pending.pop_back();
    if (known[at]) continue;
    known[at] = true;
    if (at < program_.size() && program_[at].op == Instruction::Op::split) {
      const auto from = static_cast<std::ptrdiff_t>(at);
      pending.push_back(static_cast<std::size_t>(from + program_[at].first));
      pending.push_back(static_cast<std::size_t>(from + program_[at].second));
    } else {
      states.push_back(at);
    }
  }
}

bool Pattern::matches(std::string_view text) const {
  return run(text, true, true);
}

bool Pattern::occurs_in(std::string_view text) const {
  return run(text, at_begin_, at_end_);
}

bool Pattern::run(std::string_view text, bool from_begin, bool to_end) const {
  std::vector<std::size_t> states;
  std::vector<bool> known(program_.size() + 1);
  add_state(states, known, 0);
  for (const char c : text) {
    if (!to_end && known[program_.size()]) return true;
    std::vector<std::size_t> next;
    std::fill(known.begin(), known.end(), false);
    for (const std::size_t at : states) {
      if (at < program_.size() && program_[at].set.test(static_cast<unsigned char>(c)))
        add_state(next, known, at + 1);
    }
    if (!from_begin) add_state(next, known, 0);
    states = std::move(next);
  }
  return known[program_.size()];
}

}  // namespace lithify
