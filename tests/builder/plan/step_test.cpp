// step: every field of every operation is part of the key, positions are not.
#include "builder/plan/step.h"

#include <functional>
#include <set>
#include <vector>

#include "oci/base/error.h"

#include "builder/plan/graph.h"
#include "builder/plan/key.h"

#include "tests/support/catch.h"

using namespace lithify;

namespace {

Step edit(FileAction action) {
  Step step;
  step.operation = Edit{{std::move(action)}};
  return step;
}

// Each variation changes one field of `base`; all keys must differ from it and each
// other.
template <class Base>
void every_change_counts(const Base& base,
                         const std::vector<std::function<void(Base&)>>& changes) {
  std::set<std::string> keys;
  const auto add = [&](const Base& value) {
    Step step;
    if constexpr (std::is_constructible_v<Operation, Base>) {
      step.operation = value;
    } else {
      step = edit(value);
    }
    return keys.insert(key_document(step, {})).second;
  };
  REQUIRE(add(base));
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Base changed = base;
    changes[i](changed);
    INFO("change " << i);
    CHECK(add(changed));
  }
}

}  // namespace

TEST_CASE("every field of an operation is part of the key") {
  every_change_counts<Fetch>(
      {"url", oci::Digest::of("a"), 1, "a"},
      {[](Fetch& f) { f.expected = oci::Digest::of("b"); }, [](Fetch& f) { f.size = 2; },
       [](Fetch& f) { f.file_name = "b"; }});
  every_change_counts<Import>(
      {"/a", {}, {}, LocalSource::Modes::fixed},
      {[](Import& i) { i.path = "/b"; }, [](Import& i) { i.include = {"x"}; },
       [](Import& i) { i.exclude = {"x"}; },
       [](Import& i) { i.modes = LocalSource::Modes::keep; }});
  every_change_counts<Edit>({},
                            {[](Edit& e) { e.mtime = 1; }, [](Edit& e) { e.clamp = 1; },
                             [](Edit& e) { e.actions.push_back(WriteAction{}); }});
}

TEST_CASE("every field of a command is part of the key") {
  Run run;
  run.what.mounts.resize(1);
  every_change_counts<Run>(run, {[](Run& r) { r.what.argv = {"a"}; },
                                 [](Run& r) {
                                   r.what.argv = {"a", ""};
                                 },
                                 [](Run& r) {
                                   r.what.env = {{"a", "b"}};
                                 },
                                 [](Run& r) { r.what.cwd = "/x"; },
                                 [](Run& r) { r.what.user = "1:1"; },
                                 [](Run& r) { r.what.outputs = {"/x"}; },
                                 [](Run& r) { r.what.network = Network::pinned; },
                                 [](Run& r) { r.what.clock = StepClock::epoch; },
                                 [](Run& r) { r.what.limits.memory = 1; },
                                 [](Run& r) { r.what.limits.cpus = 1; },
                                 [](Run& r) { r.what.limits.pids = 1; },
                                 [](Run& r) { r.what.limits.time = 1; },
                                 [](Run& r) { r.what.limits.timeout = 1; },
                                 [](Run& r) { r.what.unnormalised = {"logs"}; },
                                 [](Run& r) { r.mount_inputs = {0}; },
                                 [](Run& r) { r.mount_inputs = {1}; },
                                 [](Run& r) { r.pinned = oci::Digest::of("x"); },
                                 [](Run& r) { r.mtime = 1; },
                                 [](Run& r) { r.epoch = 1; },
                                 [](Run& r) { r.maintainer_scripts = true; }});
}

TEST_CASE("every field of a mount is part of the key, and where it comes from is not") {
  Run run;
  run.what.mounts.resize(1);
  const auto with = [&](const std::function<void(RunMount&)>& change) {
    Run changed = run;
    change(changed.what.mounts[0]);
    return changed;
  };
  std::vector<std::function<void(Run&)>> changes;
  for (const std::function<void(RunMount&)>& change :
       std::vector<std::function<void(RunMount&)>>{
           [](RunMount& m) { m.kind = RunMount::Kind::cache; },
           [](RunMount& m) { m.kind = RunMount::Kind::secret; },
           [](RunMount& m) { m.path = "x"; }, [](RunMount& m) { m.id = "x"; },
           [](RunMount& m) { m.at = "/x"; }, [](RunMount& m) { m.env = "X"; },
           [](RunMount& m) { m.write = true; },
           [](RunMount& m) { m.share = RunMount::Share::locked; },
           [](RunMount& m) { m.share = RunMount::Share::apart; },
           [](RunMount& m) { m.size = 1; }}) {
    changes.push_back([=](Run& r) { r = with(change); });
  }
  changes.push_back([](Run& r) { r.what.mounts.emplace_back(); });
  every_change_counts<Run>(run, changes);

  Step here;
  Step there;
  here.operation = run;
  Run elsewhere = with([](RunMount& m) {
    m.from = "src";
    m.of_stage = true;
    m.place = {"lithify.yaml", 3, 1, 2};
  });
  elsewhere.what.number = 4;
  elsewhere.lock_key = "image/0/linux/amd64";
  there.operation = elsewhere;
  CHECK(step_key(here, {}) == step_key(there, {}));
}

TEST_CASE("every field of an action is part of the key") {
  every_change_counts<CopyAction>(
      {},
      {[](CopyAction& a) { a.input = 1; }, [](CopyAction& a) { a.what.paths = {"x"}; },
       [](CopyAction& a) { a.what.to = "/x"; }, [](CopyAction& a) { a.what.into = "/x"; },
       [](CopyAction& a) { a.what.include = {"x"}; },
       [](CopyAction& a) { a.what.exclude = {"x"}; },
       [](CopyAction& a) { a.what.keep_paths = true; },
       [](CopyAction& a) { a.what.owner.uid = 1; },
       [](CopyAction& a) { a.what.owner.gid = 1; },
       [](CopyAction& a) { a.what.mode = 0; }, [](CopyAction& a) { a.what.dir_mode = 0; },
       [](CopyAction& a) { a.what.unpack = true; }});
  every_change_counts<UnpackAction>(
      {}, {[](UnpackAction& a) { a.input = 1; }, [](UnpackAction& a) { a.strip = 1; },
           [](UnpackAction& a) { a.subdir = "x"; },
           [](UnpackAction& a) { a.sha256 = oci::Digest::of("x"); },
           [](UnpackAction& a) { a.tree = oci::Digest::of("x"); }});
  every_change_counts<InstallDebianAction>(
      {}, {[](InstallDebianAction& a) { a.first = 1; },
           [](InstallDebianAction& a) { a.packages = {"x"}; },
           [](InstallDebianAction& a) { a.architecture = "arm64"; },
           [](InstallDebianAction& a) { a.drop = {"docs"}; },
           [](InstallDebianAction& a) { a.keep_locales = {"en"}; }});
  every_change_counts<BootstrapDebianAction>(
      {}, {[](BootstrapDebianAction& a) { a.set.first = 1; },
           [](BootstrapDebianAction& a) { a.set.packages = {"x"}; },
           [](BootstrapDebianAction& a) { a.set.architecture = "arm64"; }});
  every_change_counts<ArrangeDebianAction>(
      {}, {[](ArrangeDebianAction& a) { a.set.first = 1; },
           [](ArrangeDebianAction& a) { a.set.packages = {"x"}; },
           [](ArrangeDebianAction& a) { a.set.architecture = "arm64"; }});
  CHECK(key_document(edit(ArrangeDebianAction{}), {}) !=
        key_document(edit(BootstrapDebianAction{}), {}));
  every_change_counts<DropPackagedAction>(
      {}, {[](DropPackagedAction& a) { a.first = 1; },
           [](DropPackagedAction& a) { a.count = 1; },
           [](DropPackagedAction& a) { a.drop = {"docs"}; },
           [](DropPackagedAction& a) { a.keep_locales = {"en"}; }});
  every_change_counts<WriteAction>({}, {[](WriteAction& a) { a.what.path = "/x"; },
                                        [](WriteAction& a) { a.what.text = "x"; },
                                        [](WriteAction& a) { a.what.mode = 0; },
                                        [](WriteAction& a) { a.what.owner.uid = 1; },
                                        [](WriteAction& a) { a.what.owner.gid = 1; }});
  every_change_counts<SetAttributesAction>(
      {}, {[](SetAttributesAction& a) { a.what.globs = {"x"}; },
           [](SetAttributesAction& a) { a.what.owner = Owner{}; },
           [](SetAttributesAction& a) {
             a.what.owner = Owner{1, 0};
           },
           [](SetAttributesAction& a) { a.what.mode = 0; },
           [](SetAttributesAction& a) { a.what.dir_mode = 0; },
           [](SetAttributesAction& a) {
             a.what.xattrs = {{"user.a", "b"}};
           }});
  CHECK(key_document(edit(MergeAction{}), {}) != key_document(edit(WriteAction{}), {}));
  every_change_counts<AddUsersAction>(
      {{{User{}}}}, {[](AddUsersAction& a) { a.what.users[0].name = "x"; },
                     [](AddUsersAction& a) { a.what.users[0].uid = 1; },
                     [](AddUsersAction& a) { a.what.users[0].gid = 1; },
                     [](AddUsersAction& a) { a.what.users[0].gecos = "x"; },
                     [](AddUsersAction& a) { a.what.users[0].home = "x"; },
                     [](AddUsersAction& a) { a.what.users[0].shell = "x"; },
                     [](AddUsersAction& a) { a.what.users[0].groups = {"x"}; },
                     [](AddUsersAction& a) { a.what.users[0].create_home = true; },
                     [](AddUsersAction& a) { a.what.users.emplace_back(); }});
}

TEST_CASE("places and where bytes come from are not part of the key") {
  Step step = edit(WriteAction{});
  const std::string before = key_document(step, {});
  step.place = {"lithify.yaml", 3, 1, 2};
  step.label = "write";
  CHECK(key_document(step, {}) == before);
  const Fetch here{"https://a/x", oci::Digest::of("x"), 1, "x"};
  Fetch there = here;
  there.location = "https://b/x";
  Step first;
  Step second;
  first.operation = here;
  second.operation = there;
  CHECK(step_key(first, {}) == step_key(second, {}));
}

TEST_CASE("inputs, their number and what is below count") {
  Step step = edit(RemoveAction{{{"/x"}}});
  const std::vector<oci::Digest> one{oci::Digest::of("1")};
  const std::vector<oci::Digest> other{oci::Digest::of("2")};
  CHECK(step_key(step, one) != step_key(step, other));
  CHECK(step_key(step, one) != step_key(step, {}));
  const auto before = step_key(step, one);
  step.below = 1;
  const auto above = step_key(step, one);
  CHECK(above != before);
  step.on_base = true;
  CHECK(step_key(step, one) != above);
}

TEST_CASE("neighbouring fields cannot be confused") {
  KeyDocument split;
  split.field("a", "x").field("b", "");
  KeyDocument joined;
  joined.field("a", "x\nb 0:");
  CHECK(split.text() != joined.text());
}

TEST_CASE("a graph stores equal steps once and refuses inputs from the future") {
  Graph graph;
  Step fetch;
  fetch.operation = Fetch{"url", oci::Digest::of("x"), 1, "x"};
  const StepIndex first = graph.add(fetch);
  CHECK(graph.add(fetch) == first);
  Step unpack = edit(UnpackDebAction{0, "bash"});
  unpack.inputs = {first};
  const StepIndex second = graph.add(unpack);
  CHECK(second == 1);
  CHECK(graph.add(unpack) == second);
  CHECK(graph.steps().size() == 2);
  Step bad = unpack;
  bad.inputs = {7};
  CHECK_THROWS_AS(graph.add(bad), oci::Error);
}
