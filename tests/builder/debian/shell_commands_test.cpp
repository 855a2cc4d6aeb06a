// Reading maintainer scripts: words, quotes, here-documents, and what an install reaches.
#include "builder/debian/shell_commands.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

// One command a line, words parted by '|', with '-' in front where an install does not
// reach it and '?' after words that an expansion decides.
std::string told(std::string_view script) {
  std::string text;
  for (const ShellCommand& command : read_commands(script)) {
    if (command.not_on_install) text += '-';
    for (std::size_t i = 0; i < command.words.size(); ++i) {
      if (i > 0) text += '|';
      text += command.words[i].text;
      if (!command.words[i].literal) text += '?';
    }
    for (const ShellWord& file : command.redirects)
      text += " >" + file.text;
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("words lose their quotes and know whether they are literal") {
  CHECK(told("mkdir -p \"/var/lib/a b\" '/c' d\\ e $x \"f$y\"") ==
        "mkdir|-p|/var/lib/a b|/c|d e|$x?|f$y?\n");
  CHECK(told("a=1 b=2 chown root /x") == "chown|root|/x\n");
  CHECK(told("ln -s a \"$DPKG_ROOT/b\" # comment") == "ln|-s|a|/b\n");
  CHECK(told("update-alternatives \\\n  --install a") ==
        "update-alternatives|--install|a\n");
  CHECK(told("chown `id -u` $(id \"-g\") x") == "chown|`id -u`?|$(id \"-g\")?|x\n");
}

TEST_CASE("lists, redirections and here-documents") {
  CHECK(told("a && b || c; d | e & f") == "a\nb\nc\nd\ne\nf\n");
  CHECK(told("echo x > /etc/y 2>/dev/null") == "echo|x >/etc/y >/dev/null\n");
  CHECK(told("echo x 2>&1; next") == "echo|x\nnext\n");
  CHECK(told("cat <<EOF > /etc/z\nrm -rf /\nEOF\nlast") == "cat >/etc/z\nlast\n");
  CHECK(told("cat <<-'E'\n\trm\n\tE\nlast") == "cat\nlast\n");
}

TEST_CASE("parts that only upgrades, removals and triggers reach are marked") {
  CHECK(told("case \"$1\" in\n configure|x) a;;\n abort-upgrade|abort-remove) b;;\n"
             " *) c;;\nesac\nd") == "a\n-b\nc\nd\n");
  CHECK(told("if [ \"$1\" = configure ] && dpkg --compare-versions \"$2\" lt 1; then\n"
             "  a\nelse\n  b\nfi\nc") ==
        "[|$1?|=|configure|]\ndpkg|--compare-versions|$2?|lt|1\n-a\nb\nc\n");
  CHECK(told("if [ -n \"$2\" ]; then a; fi; b") == "[|-n|$2?|]\n-a\nb\n");
  CHECK(told("[ -n \"$2\" ] && a\nb") == "[|-n|$2?|]\n-a\nb\n");
  CHECK(told("if [ \"$1\" = triggered ]; then a; fi") == "[|$1?|=|triggered|]\n-a\n");
  CHECK(told("if [ \"$1\" = triggered ] || [ \"$1\" = configure ]; then a; fi")
            .find("-a") == std::string::npos);
  CHECK(told("case \"$x\" in y) a;; esac") == "a\n");
}

TEST_CASE("functions and debhelper's blocks are known") {
  const auto commands = read_commands(
      "f() {\n  chmod 1 /x\n}\n"
      "# Automatically added by dh_installmenu/13\nupdate-menus\n"
      "# End automatically added section\nf\n");
  REQUIRE(commands.size() == 3);
  CHECK(commands[0].function == "f");
  CHECK(commands[1].debhelper == "dh_installmenu/13");
  CHECK(commands[2].debhelper.empty());
  CHECK(commands[2].name() == "f");
}

TEST_CASE("text that is no script does no harm") {
  for (const char* text :
       {"",     "'",     "\"", "`",    "$(",        "${", "$",   "\\",
        "<<",   "<<EOF", ">",  "case", "case x in", "if", "fi",  "esac",
        "((((", "))))",  "f(", "f()",  "{",         "}",  "for", "a&>"}) {
    CAPTURE(text);
    read_commands(text);
  }
  std::string deep;
  for (int i = 0; i < 100000; ++i)
    deep += "if ( {";
  CHECK(read_commands(deep).size() < 200);
}

}  // namespace lithify
