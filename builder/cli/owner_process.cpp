#include "builder/cli/owner_process.h"

#include <cstdio>
#include <exception>
#include <fcntl.h>

#include "oci/base/fd.h"

#include "builder/root/owners.h"
#include "builder/tell/render_error.h"

namespace lithify {

namespace {

constexpr std::uint64_t k_max_list = 64 << 20;

void work(const std::string& what, const std::string& root, const std::string& list) {
  const oci::Fd fd = oci::open_file(root, O_RDONLY | O_DIRECTORY);
  if (what == "give") {
    give_owners(fd, parse_owners(oci::read_file(list, k_max_list)));
  } else {
    oci::write_file_atomically(list, owners_text(take_owners(fd)), 0600);
  }
}

}  // namespace

bool is_owner_process(const std::vector<std::string>& words) {
  return words.size() == 4 && words[0] == "internal" &&
         (words[1] == "give" || words[1] == "take");
}

int run_owner_process(const std::vector<std::string>& words) {
  try {
    work(words[1], words[2], words[3]);
    return exits::k_ok;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "lithify: %s\n", failure.what());
    return exits::k_usage;
  }
}

}  // namespace lithify
