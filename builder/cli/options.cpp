#include "builder/cli/options.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "oci/base/error.h"

#include "builder/plan/suggest.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

// What people type who come from other builders, and what to type here.
const std::map<std::string_view, std::string_view> k_familiar_flags = {
    {"--squash", "write `layering: {strategy: single}` in the build file"},
    {"--push", "`lithify build --push` and `lithify push` push"},
    {"--load", "write `--output docker-archive=FILE`, then `docker load -i FILE`"},
    {"-t", "to push under a name, write `--push --tag HOST/PATH:NAME`"},
    {"--tag", "`lithify build`, `push` and `join` take it"},
    {"-o", "write `--output KIND=PATH`"},
    {"--build-arg", "write `--arg NAME=VALUE`"},
    {"--target", "name the image: `lithify build IMAGE`"},
    {"--label", "write `config: {labels: {…}}` in the build file"},
    {"--annotation", "write `annotations: {…}` in the build file"},
    {"--pull", "write `lithify lock --update` to move to newer sources"},
    {"--frozen", "write `--locked`"},
    {"--frozen-lockfile", "write `--locked`"},
    {"--timestamp", "set SOURCE_DATE_EPOCH, or write `epoch:` in the build file"},
    {"--source-date-epoch", "set SOURCE_DATE_EPOCH, or write `epoch:` in the build file"},
    {"--compress", "write `layering: {compression: gzip}` in the build file"},
    {"--dry-run", "write `lithify plan`, or `lithify push --dry-run`"},
    {"--all", "an image is copied with all its platforms unless one is named"},
    {"--multi-arch", "an image is copied with all its platforms unless one is named"},
    {"--tls-verify", "name the host in LITHIFY_INSECURE_REGISTRIES"},
    {"--src-tls-verify", "name the host in LITHIFY_INSECURE_REGISTRIES"},
    {"--dest-tls-verify", "name the host in LITHIFY_INSECURE_REGISTRIES"},
    {"-p", "give the password on standard input with `--password-stdin`"},
    {"--password", "give it on standard input with `--password-stdin`"},
    {"--rm", "nothing is left behind that would need removing"},
    {"--network", "builds have no network; sources are fetched by what the lock says"},
    {"--secret",
     "secrets are for `run` steps: `lithify build` and `lithify push` take them"},
    {"--ssh", "a key is a secret: `--secret id=key,src=FILE`"},
    {"--sbom",
     "the list of packages is in the image; `lithify attest` attaches an SBOM you have"},
    {"--attest",
     "`sign: {attest: […]}` in the build file; `lithify attest` attaches more"},
    {"--build-context", "write `sources: {NAME: {local: DIR}}` in the build file"},
    {"--format", "write `--json`"},
    {"--no-color", "write `--color never`"},
    {"--no-colour", "write `--color never`"},
    {"--colour", "write `--color WHEN`"},
};

// What design and other builders have, and this version has not.
constexpr std::string_view k_commands_to_come[] = {"report", "explain", "completion",
                                                   "fmt", "import"};

const std::map<std::string_view, std::string_view> k_familiar_commands = {
    {"cp", "write `lithify copy SOURCE DESTINATION`"},
    {"save", "write `lithify copy REF oci-archive:FILE`"},
    {"load", "write `lithify copy oci-archive:FILE store:NAME`"},
    {"manifest", "write `lithify join REF… --tag REF`"},
    {"run", "write `--output oci=DIR`, then `podman run oci:DIR`"},
    {"images", "write `lithify cache ls`"},
    {"rmi", "write `lithify cache rm IMAGE`"},
    {"ls", "write `lithify cache ls`"},
    {"prune", "write `lithify cache prune`"},
    {"lint", "write `lithify check`"},
    {"validate", "write `lithify check`"},
    {"update", "write `lithify lock --update`"},
    {"upgrade", "write `lithify lock --update`"},
    {"init", "write a file lithify.yaml; `lithify schema` describes it to editors"},
};

const Flag* find_flag(std::string_view name) {
  for (const Flag& flag : all_flags()) {
    if (!flag.name.empty() && flag.name == name) return &flag;
    if (flag.letter != 0 && name.size() == 2 && name[0] == '-' &&
        name[1] == flag.letter) {
      return &flag;
    }
  }
  return nullptr;
}

oci::Error unknown_flag(std::string_view word, const CommandText* command) {
  const std::string of =
      command != nullptr ? fmt::format("`lithify {}`", command->name) : "lithify";
  oci::Error error(oci::Errc::bad_input, fmt::format("{} has no flag `{}`", of, word));
  const auto familiar = k_familiar_flags.find(word);
  const bool pruning = word == "--dry-run" && command && command->taker == k_cache;
  if (pruning) return error.add_hint("write `lithify cache ls` to see what there is");
  if (familiar != k_familiar_flags.end()) {
    return error.add_hint(std::string(familiar->second));
  }
  std::vector<std::string> names;
  for (const Flag& flag : all_flags()) {
    const bool taken = command == nullptr || (flag.takers & command->taker) != 0;
    if (taken && !flag.name.empty()) names.emplace_back(flag.name);
  }
  if (const std::string meant = did_you_mean(word, names); !meant.empty()) {
    return error.add_hint(meant);
  }
  const std::string name = command != nullptr ? " " + std::string(command->name) : "";
  return error.add_hint(fmt::format("`lithify help{}` lists them", name));
}

oci::Error unknown_command(std::string_view word) {
  const bool to_come =
      std::find(std::begin(k_commands_to_come), std::end(k_commands_to_come), word) !=
      std::end(k_commands_to_come);
  oci::Error error(oci::Errc::bad_input,
                   to_come ? fmt::format("`lithify {}` is not built yet", word)
                           : fmt::format("lithify has no command `{}`", word));
  const auto familiar = k_familiar_commands.find(word);
  if (familiar != k_familiar_commands.end()) {
    return error.add_hint(std::string(familiar->second));
  }
  std::vector<std::string> names;
  for (const CommandText& command : all_commands())
    names.emplace_back(command.name);
  if (const std::string meant = did_you_mean(word, names); !meant.empty()) {
    return error.add_hint(meant);
  }
  return error.add_hint(to_come ? "`lithify help` lists the commands that there are"
                                : "`lithify help` lists them");
}

class Parser {
 public:
  explicit Parser(std::span<const std::string> words) : words_(words) {}

  Options parse() {
    for (; at_ < words_.size(); ++at_)
      take(words_[at_]);
    refuse_foreign_flags();
    refuse_surplus_operands();
    return std::move(options_);
  }

 private:
  void take(const std::string& word) {
    if (operands_only_ || word.size() < 2 || word[0] != '-') return take_operand(word);
    if (word == "--") {
      operands_only_ = true;
    } else if (word[1] == '-') {
      take_long(word);
    } else {
      take_letters(word);
    }
  }

  void take_operand(const std::string& word) {
    if (!options_.command.empty()) {
      options_.operands.push_back(word);
      return;
    }
    command_ = find_command(word);
    if (command_ == nullptr) {
      // After a flag that is not ours, the word may be its value.
      throw foreign_.empty() ? unknown_command(word)
                             : unknown_flag(foreign_.front(), nullptr);
    }
    options_.command = word;
  }

  void take_long(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const Flag* flag = find_flag(name);
    if (flag == nullptr) return foreign_.push_back(std::string(name));
    if (equals == std::string_view::npos) return use(*flag, name, std::nullopt);
    if (flag->value.empty()) {
      throw oci::Error(oci::Errc::bad_input, fmt::format("{} takes no value", name));
    }
    use(*flag, name, word.substr(equals + 1));
  }

  // "-vv", "-j4", "-f FILE": the rest of a word is the value of a letter that takes one.
  void take_letters(std::string_view word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      const std::string name = {'-', word[i]};
      const Flag* flag = find_flag(name);
      if (flag == nullptr) return foreign_.push_back(name);
      if (flag->value.empty()) {
        use(*flag, name, std::nullopt);
      } else if (i + 1 < word.size()) {
        return use(*flag, name, word.substr(i + 1));
      } else {
        return use(*flag, name, std::nullopt);
      }
    }
  }

  void use(const Flag& flag, std::string_view name,
           std::optional<std::string_view> value) {
    const bool needs_value = !flag.value.empty() && !flag.value.starts_with("[=");
    if (needs_value && !value && at_ + 1 < words_.size()) value = words_[++at_];
    if (needs_value && value.value_or("").empty()) {
      throw oci::Error(oci::Errc::bad_input,
                       fmt::format("{} needs a value: {} {}", name, name, flag.value));
    }
    flag.apply(options_, value.value_or(""));
    used_.emplace_back(&flag, name);
  }

  // The command may stand after its flags, so this is known only at the end.
  void refuse_foreign_flags() const {
    if (!foreign_.empty()) throw unknown_flag(foreign_.front(), command_);
    if (command_ == nullptr) return;
    for (const auto& [flag, name] : used_) {
      if ((flag->takers & command_->taker) == 0) throw unknown_flag(name, command_);
    }
  }

  void refuse_surplus_operands() const {
    if (command_ == nullptr || options_.help || options_.version) return;
    const std::size_t most = command_->most_operands;
    if (options_.operands.size() <= most) return;
    throw oci::Error(oci::Errc::bad_input,
                     fmt::format("`lithify {}` has no use for `{}`", command_->name,
                                 options_.operands[most]))
        .add_hint(fmt::format("write `lithify {}{}{}`", command_->name,
                              most > 0 ? " " : "", command_->operands));
  }

  std::span<const std::string> words_;
  std::size_t at_ = 0;
  bool operands_only_ = false;
  Options options_;
  const CommandText* command_ = nullptr;
  std::vector<std::pair<const Flag*, std::string>> used_;
  std::vector<std::string> foreign_;
};

std::string flag_words(const Flag& flag) {
  std::string words = flag.letter != 0 ? fmt::format("-{}", flag.letter) : "   ";
  if (!flag.name.empty()) {
    words += (flag.letter != 0 ? ", " : " ") + std::string(flag.name);
  }
  const bool joined = flag.value.starts_with('[');
  if (!flag.value.empty()) words += (joined ? "" : " ") + std::string(flag.value);
  return words;
}

constexpr std::size_t k_help_column = 28;
constexpr std::size_t k_help_width = 80;

// One line of a two-column list; what does not fit goes on below.
void add_row(std::string& text, const std::string& left, std::string_view right) {
  const auto lines =
      wrap(right, k_help_width - k_help_column, k_help_width - k_help_column);
  std::string line = "  " + left;
  for (const std::string& part : lines) {
    const std::size_t used = display_width(line);
    if (used + 1 >= k_help_column) {
      text += line + "\n";
      line.clear();
    }
    line += std::string(k_help_column - display_width(line), ' ') + part;
    text += line + "\n";
    line.clear();
  }
}

void add_flags(std::string& text, std::string_view title, bool global, unsigned taker) {
  std::string rows;
  for (const Flag& flag : all_flags()) {
    const bool wanted = (flag.takers == k_every) == global && (flag.takers & taker) != 0;
    if (wanted && !flag.help.empty()) add_row(rows, flag_words(flag), flag.help);
  }
  if (!rows.empty()) text += fmt::format("\n{}:\n{}", title, rows);
}

std::string program_help() {
  std::string text =
      "lithify builds OCI images that are byte for byte the same everywhere.\n\n"
      "usage: lithify COMMAND [FLAGS] [OPERANDS]\n\ncommands:\n";
  for (const CommandText& command : all_commands()) {
    add_row(text, std::string(command.name), command.summary);
  }
  add_flags(text, "flags of every command", true, k_every);
  text += "\n`lithify help COMMAND` explains one of them.\n";
  return text;
}

}  // namespace

Options parse_options(std::span<const std::string> words) {
  return Parser(words).parse();
}

std::string help_text(std::string_view name) {
  if (name.empty()) return program_help();
  const CommandText* command = find_command(name);
  if (command == nullptr) throw unknown_command(name);
  const std::string operands =
      command->operands.empty() ? "" : " " + std::string(command->operands);
  std::string text =
      fmt::format("lithify {}: {}\n\nusage: lithify {} [FLAGS]{}\n", command->name,
                  command->summary, command->name, operands);
  if (!command->details.empty()) text += "\n";
  for (const std::string& line : wrap(command->details, k_help_width, k_help_width)) {
    if (!line.empty()) text += line + "\n";
  }
  add_flags(text, "flags", false, command->taker);
  add_flags(text, "flags of every command", true, k_every);
  return text;
}

}  // namespace lithify
