#include "builder/tell/progress.h"

#include <atomic>

#include "oci/base/error.h"

#include "builder/tell/activity_book.h"

#include "tests/support/catch.h"

namespace lithify {
namespace {

using oci::Activity;
using oci::Outcome;
using oci::StringSink;

// A clock that a test moves.
struct Clock {
  std::shared_ptr<std::atomic<int>> now = std::make_shared<std::atomic<int>>(0);
  ProgressView view(StringSink& sink) const {
    return {sink, [at = now] { return std::chrono::milliseconds(at->load()); }};
  }
};

TEST_CASE("plain progress tells phases, steps that did something, and failures") {
  StringSink sink;
  const Clock clock;
  const auto progress = plain_progress(clock.view(sink));
  {
    Activity phase(*progress, "build");
    {
      Activity step = phase.start("copy . to /srv");
      *clock.now = 1500;
      step.end(Outcome::done);
    }
    {
      Activity step = phase.start("read \x1b[31mpublic");
      step.end(Outcome::cached);
    }
    phase.warn("two\nlines");
    Activity failing = phase.start("file /etc/x");
  }
  CHECK(sink.text ==
        "start  build\n"
        "done   copy . to /srv  1.5s\n"
        "warning: two\\x0alines\n"
        "failed file /etc/x  0.0s\n"
        "failed build  1.5s  (1 from cache)\n");
}

TEST_CASE("json progress writes one object a line") {
  StringSink sink;
  const Clock clock;
  {
    const auto progress = json_progress(clock.view(sink));
    progress->started(7, 0, "a \"b\"");
    *clock.now = 3;
    progress->advanced(7, 1, 2);
    progress->ended(7, Outcome::cached);
  }
  CHECK(
      sink.text ==
      "{\"schema\":\"lithify.progress/1\"}\n"
      "{\"event\":\"started\",\"id\":7,\"label\":\"a \\\"b\\\"\",\"ms\":0,\"parent\":0}\n"
      "{\"done\":1,\"event\":\"advanced\",\"id\":7,\"ms\":3,\"total\":2}\n"
      "{\"event\":\"ended\",\"id\":7,\"ms\":3,\"outcome\":\"cached\"}\n");
}

TEST_CASE("quiet progress tells warnings only, and not even those when told so") {
  StringSink sink;
  const Clock clock;
  auto view = clock.view(sink);
  quiet_progress(view)->warned(1, "look");
  view.warnings = false;
  quiet_progress(view)->warned(1, "look");
  CHECK(sink.text == "warning: look\n");
}

TEST_CASE("what ends after Ctrl-C was stopped and has not failed") {
  StringSink sink;
  const Clock clock;
  for (const auto& make : {plain_progress, json_progress, tty_progress}) {
    const auto progress = make(clock.view(sink));
    Activity phase(*progress, "build");
    Activity step = phase.start("copy . to /srv");
    progress->stopping();
  }
  CHECK(sink.text.find("warning") == std::string::npos);
  CHECK(sink.text.find("failed") == std::string::npos);
  CHECK(sink.text.find("stopped copy . to /srv  0.0s\n") != std::string::npos);
  CHECK(sink.text.find("\"outcome\":\"stopped\"") != std::string::npos);
  CHECK(sink.text.find("stopping in order; press Ctrl-C again") != std::string::npos);
}

TEST_CASE("a long warning is wrapped") {
  StringSink sink;
  const Clock clock;
  std::string words;
  for (int i = 0; i < 30; ++i)
    words += "word" + std::to_string(i) + " ";
  quiet_progress(clock.view(sink))->warned(1, words);
  std::string_view rest = sink.text;
  CHECK(rest.substr(0, 15) == "warning: word0 ");
  rest.remove_prefix(rest.find('\n') + 1);
  CHECK(rest.substr(0, 13) == "         word");
}

TEST_CASE("tty progress keeps what took a while and does not name the cached") {
  StringSink sink;
  const Clock clock;
  {
    const auto progress = tty_progress(clock.view(sink));
    Activity phase(*progress, "build");
    {
      Activity step = phase.start("copy " + std::string(200, 'x'));
      *clock.now = 2000;
      step.end(Outcome::done);
    }
    {
      Activity step = phase.start("cached");
      step.end(Outcome::cached);
    }
    phase.end(Outcome::done);
  }
  CHECK(sink.text.find("✓ copy xxx") != std::string::npos);
  CHECK(sink.text.find("…  2.0s") != std::string::npos);
  CHECK(sink.text.find("✓ cached") == std::string::npos);
}

TEST_CASE("a sink that fails does not disturb the build") {
  struct Broken final : oci::Sink {
    void write(oci::Bytes) override { throw oci::Error(oci::Errc::machine, "closed"); }
  } broken;
  const ProgressView view{broken, [] { return std::chrono::milliseconds(0); }};
  for (const auto& make : {plain_progress, json_progress, quiet_progress, tty_progress}) {
    const auto progress = make(view);
    Activity phase(*progress, "build");
    phase.warn("look");
  }
}

TEST_CASE("durations and advances are short") {
  CHECK(human_duration(Milliseconds(40)) == "0.0s");
  CHECK(human_duration(Milliseconds(9999)) == "9.9s");
  CHECK(human_duration(Milliseconds(59'999)) == "59s");
  CHECK(human_duration(Milliseconds(124'000)) == "2:04");
  RunningActivity activity;
  CHECK(human_advance(activity).empty());
  activity.done = 12;
  activity.total = 62;
  CHECK(human_advance(activity) == "12 of 62");
  activity.total = 40'000'000;
  CHECK(human_advance(activity) == "12 B of 40 MB");
}

}  // namespace
}  // namespace lithify
