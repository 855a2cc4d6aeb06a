// Error: one failure, told from its cause outward to what the user asked for.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace oci {

// What a caller may want to do differently; everything else is prose.
enum class Errc {
  bad_input,    // what the user or a file said cannot be done
  not_found,    // a named thing is not there
  mismatch,     // bytes are not what their name says
  untrusted,    // nobody whom we trust signed it, or what it says cannot be true
  denied,       // a server, or our rules about servers, said no
  refused,      // what is there may not be replaced
  stale,        // the lock does not answer what the build file asks
  unavailable,  // a mirror, registry or network did not answer; a retry may help
  failed,       // a command of the user's did not succeed, or left what no image may hold
  machine,      // this machine cannot: disk full, read-only, no namespaces
  internal,     // a bug of ours
};

// A stretch of a text file that a person wrote. Lines and columns count from 1; columns
// and length count Unicode code points. For messages only: it never enters a key.
struct Place {
  std::string file;
  int line = 0;  // 0: the whole file
  int column = 1;
  int length = 1;
};

// A further place that belongs to the story: "first defined here".
struct PlaceNote {
  Place place;
  std::string label;
};

// Thrown, and also kept as a value where several are collected (a build file's problems).
// Messages start in lower case, end without a full stop, and name the thing, the
// expectation and the finding.
class Error : public std::exception {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  // Adds the next wider circle of context, a verb in -ing: "unpacking bash_5.2.deb".
  Error& add_context(std::string doing);
  // Why it is so, one sentence each.
  Error& add_note(std::string note);
  // What the user can type next. The innermost hint wins: it knows most.
  Error& add_hint(std::string hint);
  // Where the cause stands, with a label for the caret line. The innermost place wins.
  Error& at(Place place, std::string label = "");
  Error& also_at(Place place, std::string label);
  // The stable number of a documented error, "L0021". The innermost wins.
  Error& number(std::string id);

  Errc code() const noexcept { return code_; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::vector<std::string>& context() const noexcept { return context_; }
  const std::vector<std::string>& notes() const noexcept { return notes_; }
  const std::string& hint() const noexcept { return hint_; }
  const Place& place() const noexcept { return place_; }  // line 0, no file: none
  const std::string& label() const noexcept { return label_; }
  const std::vector<PlaceNote>& other_places() const noexcept { return other_places_; }
  const std::string& id() const noexcept { return id_; }

 private:
  Errc code_;
  std::string message_;
  std::vector<std::string> context_;  // innermost first
  std::vector<std::string> notes_;
  std::string hint_;
  Place place_;
  std::string label_;
  std::vector<PlaceNote> other_places_;
  std::string id_;
};

// The user pressed Ctrl-C or a sibling failed. Not an Error, so no fallback swallows it.
class Cancelled : public std::exception {
 public:
  const char* what() const noexcept override { return "cancelled"; }
};

// An Error for a failed system call. ENOSPC, EDQUOT, EROFS, EMFILE, ENOMEM and their like
// are Errc::machine, ENOENT and ENOTDIR not_found; EACCES and EPERM are bad_input, since
// a file that may not be read is one that the user named. `doing` names the call and its
// object: "opening /etc/passwd".
Error errno_error(int error_number, const std::string& doing);

// The same for a call that was to make or change something: not being allowed to is
// Errc::machine then, as a disk is that cannot be written to.
Error write_error(int error_number, const std::string& doing);

// Runs `body`; if it fails, adds `doing()` to the story. `doing` runs only on failure.
template <class Doing, class Body>
auto during(Doing doing, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (Error& e) {
    e.add_context(doing());
    throw;
  }
}

}  // namespace oci
