#include "builder/cli/twice.h"

#include <cstdlib>
#include <sys/stat.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "builder/cli/base_layers.h"
#include "builder/cli/judged.h"
#include "builder/cli/rebuild.h"

namespace lithify {

namespace {

// A variable of this process, until the end of the scope.
class OtherVariable {
 public:
  OtherVariable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    setenv(name, value, 1);
  }
  ~OtherVariable() {
    if (before_) {
      setenv(name_, before_->c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }
  OtherVariable(const OtherVariable&) = delete;
  OtherVariable& operator=(const OtherVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

class OtherUmask {
 public:
  OtherUmask() : before_(umask(0)) { umask(before_ == 0077 ? 0022 : 0077); }
  ~OtherUmask() { umask(before_); }
  OtherUmask(const OtherUmask&) = delete;
  OtherUmask& operator=(const OtherUmask&) = delete;

 private:
  mode_t before_;
};

bool is_set_to(const char* name, std::string_view value) {
  const char* text = std::getenv(name);
  return text != nullptr && text == value;
}

struct OtherCircumstances {
  OtherUmask mask;
  OtherVariable zone{
      "TZ", is_set_to("TZ", "Pacific/Kiritimati") ? "Etc/GMT+12" : "Pacific/Kiritimati"};
  OtherVariable locale{"LC_ALL", is_set_to("LC_ALL", "C") ? "C.UTF-8" : "C"};
};

Options second_options(const Session& session) {
  Options options = session.options();
  const unsigned jobs = session.jobs();
  options.jobs = jobs > 1 ? jobs / 2 : 2;
  // What it has to say was said the first time.
  options.quiet = 2;
  options.progress = ProgressKind::quiet;
  options.json = false;
  options.rebuild_check = false;
  options.rebuild_checks.clear();
  return options;
}

void tell_difference(Session& session, const std::string& name, const Judged& judged) {
  session.end_progress();
  if (session.options().json) {
    nlohmann::json document = judged_json(judged);
    document["schema"] = "lithify.twice/1";
    document["image"] = name;
    return session.print(
        document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  }
  session.tell(fmt::format("not reproducible: {} is {} the first time, {} the second\n{}",
                           name, judged.comparison.first.str(),
                           judged.comparison.second.str(), judged_text(judged)));
}

}  // namespace

void build_twice(const BuildFacts& facts, const std::vector<PackedImage>& images) {
  Session& session = facts.session;
  session.end_progress();
  const ScratchDirectory scratch(scratch_parent(session));
  Recorded recorded;
  recorded.lock_text = facts.prepared.lock.str();
  Rebuild again(session, scratch, second_options(session), session.environment(),
                std::move(recorded));
  const std::vector<PackedImage>& others = [&]() -> const std::vector<PackedImage>& {
    const OtherCircumstances circumstances;
    return again.run(session.options().operands);
  }();
  bool equal = true;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const oci::ComparedImage first{session.images_with_bases(), images[i].root};
    const oci::ComparedImage second{again.images(), others.at(i).root};
    if (images[i].root.digest == others[i].root.digest) {
      if (session.wants_summary())
        session.tell(fmt::format("twice  {}  {}  both times\n", images[i].name,
                                 images[i].root.digest.str()));
      continue;
    }
    tell_difference(session, images[i].name, judge(first, second, {}, session.stop()));
    equal = false;
  }
  if (!equal) throw Reported{exits::k_mismatch};
}

}  // namespace lithify
