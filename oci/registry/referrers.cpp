// referrers: what points at an image in a registry, by its API or by the fallback tag
// (distribution-spec, "Listing Referrers", "Referrers Tag Schema").
#include <algorithm>
#include <chrono>
#include <random>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest_graph.h"
#include "oci/registry/document.h"
#include "oci/registry/registry_client.h"
#include "oci/registry/server_error.h"

namespace oci {

namespace {

constexpr std::size_t k_max_pages = 1000;
constexpr int k_max_rounds = 60;
// How often in a row the same must be seen.
constexpr int k_quiet = 1;
constexpr int k_quiet_in_crowd = 3;

// Different for each client, so that they do not meet again. `unit` is what one waits
// after any first failure.
std::chrono::milliseconds pause(int round, bool crowded, std::chrono::milliseconds unit) {
  thread_local std::minstd_rand random(std::random_device{}());
  const auto least = crowded ? unit * 6 / 5 : unit / 5;
  const auto spread = unit / 2 + unit * round / 12;
  return least + std::chrono::milliseconds(random() %
                                           (static_cast<unsigned>(spread.count()) + 1));
}

// Not more than what one would wait for a stranger.
std::chrono::milliseconds since(std::chrono::steady_clock::time_point start) {
  using std::chrono::milliseconds;
  const auto taken = std::chrono::steady_clock::now() - start;
  return std::min(std::chrono::duration_cast<milliseconds>(taken), milliseconds(5000));
}

std::string fallback_tag(const Digest& subject) {
  return "sha256-" + subject.hex();
}

void keep_type(std::vector<Descriptor>& list, std::string_view artifact_type) {
  if (artifact_type.empty()) return;
  list.erase(std::remove_if(list.begin(), list.end(),
                            [&](const Descriptor& one) {
                              return one.artifact_type != artifact_type;
                            }),
             list.end());
}

bool names(const Index& index, const Digest& digest) {
  return std::any_of(index.manifests.begin(), index.manifests.end(),
                     [&](const Descriptor& one) { return one.digest == digest; });
}

}  // namespace

// nullopt: this registry has no such API.
std::optional<std::vector<Descriptor>> RegistryClient::listed_referrers(
    const Digest& subject, std::string_view artifact_type) const {
  const std::string doing = "listing what refers to " + subject.brief() + " in " + name_;
  std::string url = primary() + "/referrers/" + subject.str();
  if (!artifact_type.empty()) {
    url += "?artifactType=" + url_encode(artifact_type);
  }
  std::vector<Descriptor> all;
  for (std::size_t page = 0; page < k_max_pages; ++page) {
    HttpRequest request = request_for("GET", url);
    request.headers = {{"Accept", std::string(media_type::k_index)}};
    const auto [answer, text] = ask(request, doing);
    const int status = answer.status;
    if (page == 0 && (status == 404 || status == 400 || status == 405 || status == 406)) {
      return std::nullopt;
    }
    if (status != 200) throw refusal(answer, url, doing);
    const Index index = Index::parse(text, "the list of referrers");
    all.insert(all.end(), index.manifests.begin(), index.manifests.end());
    const auto next = next_page(answer, url);
    if (!next || index.manifests.empty()) break;
    url = *next;
  }
  keep_type(all, artifact_type);
  return all;
}

bool RegistryClient::lists_referrers(const Digest& subject) const {
  {
    const std::lock_guard lock(mutex_);
    if (lists_) return *lists_;
  }
  const bool lists = listed_referrers(subject, "").has_value();
  const std::lock_guard lock(mutex_);
  lists_ = lists;
  return lists;
}

std::vector<Descriptor> RegistryClient::referrers(const Digest& subject,
                                                  std::string_view artifact_type) const {
  if (auto listed = listed_referrers(subject, artifact_type)) return std::move(*listed);
  const auto fallback = get_document(fallback_tag(subject));
  if (!fallback) return {};
  Index index = Index::parse(fallback->content, "the tag " + fallback_tag(subject));
  keep_type(index.manifests, artifact_type);
  return std::move(index.manifests);
}

void RegistryClient::put_referrer(const Descriptor& which, Bytes content,
                                  const Descriptor& subject) {
  check_manifest(which, content);
  const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
  const HttpResponse answer = put_document(which.digest.str(), which, text, {});
  if (answer.status < 200 || answer.status > 204) {
    throw refusal(answer, primary(),
                  fmt::format("pushing {} to {}", which.digest.brief(), name_));
  }
  // A registry that keeps the list itself says so; some say so and keep none.
  if (answer.header("oci-subject") != nullptr && lists_referrers(subject.digest)) return;
  add_to_fallback(which, subject);
}

// False if the server looked, and found something else than what was read.
bool RegistryClient::put_if_still(std::string_view tag, const Descriptor& which,
                                  const std::string& content,
                                  const std::optional<Digest>& before) {
  HttpHeaders headers;
  if (before) {
    headers.emplace_back("If-Match", '"' + before->str() + '"');
  } else {
    headers.emplace_back("If-None-Match", "*");
  }
  const HttpResponse answer = put_document(tag, which, content, std::move(headers));
  if (answer.status >= 200 && answer.status <= 204) return true;
  const Error why =
      refusal(answer, primary(), fmt::format("writing the tag {}:{}", name_, tag));
  if (says_tag_is_kept(answer)) {
    throw Error(Errc::refused, fmt::format("{} keeps the tag `{}` as it is", name_, tag))
        .add_note(why.what())
        .add_hint(
            "let the registry change tags that begin with `sha256-`: whoever signs "
            "adds to them");
  }
  if (answer.status == 412) return false;
  throw why;
}

// Without those that the registry does not have any more.
void RegistryClient::keep_present(std::vector<Descriptor>& list) const {
  list.erase(std::remove_if(list.begin(), list.end(),
                            [&](const Descriptor& one) {
                              return !get_document_at(http_->count() - 1,
                                                      one.digest.str());
                            }),
             list.end());
}

void RegistryClient::add_to_fallback(const Descriptor& which, const Descriptor& subject) {
  const std::string tag = fallback_tag(subject.digest);
  bool prunes = false;
  const TagChanger change = [&](const std::optional<std::string>& old) {
    Index index;
    if (old) index = Index::parse(*old, "the tag " + tag);
    if (names(index, which.digest)) return std::optional<std::string>();
    if (prunes) keep_present(index.manifests);
    index.media_type = media_type::k_index;
    index.manifests.push_back(which);
    return std::optional(index.str());
  };
  try {
    change_tag(tag, media_type::k_index, change);
  } catch (const Error& e) {
    // Registries refuse a list that names what their garbage collection deleted. What is
    // still there stays in it.
    if (e.code() != Errc::bad_input) throw;
    prunes = true;
    change_tag(tag, media_type::k_index, change);
  }
}

// Two who change it at once may each lose the other's change, since hardly any server
// looks at conditions. So what stands there is looked at again right before it is
// written, for making a change takes uploads, and afterwards until it has been quiet for
// longer than a neighbour needs between reading and writing; the more there are, and the
// slower the server is, the longer that may be.
void RegistryClient::change_tag(std::string_view tag, std::string_view media_type,
                                const TagChanger& change) {
  bool written = false;
  bool crowded = false;
  int quiet = 0;
  std::optional<Digest> last;
  std::chrono::milliseconds slowest{0};
  for (int round = 0; round < k_max_rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto old = get_document_at(http_->count() - 1, tag);
    const auto next = change(old ? std::optional(old->content) : std::nullopt);
    if (!next && !written) return;
    const std::optional<Digest> now =
        old ? std::optional(old->which.digest) : std::nullopt;
    const bool same = now == last;
    crowded = crowded || (last && !same);
    quiet = same && !next ? quiet + 1 : 0;
    if (quiet == (crowded ? k_quiet_in_crowd : k_quiet)) return;
    last = now;
    if (next && digest_of(tag) != now) {
      crowded = true;
    } else if (next) {
      written = true;
      const Descriptor which = describe(*next, media_type);
      if (put_if_still(tag, which, *next, now)) last = which.digest;
    }
    slowest = std::max(slowest, since(start));
    wait_or_stop(pause(round, crowded, shared_.settings().retry.first_wait) + slowest,
                 shared_.settings().stop);
  }
  throw Error(Errc::unavailable,
              fmt::format("others change the tag {} of {} all the time", tag, name_))
      .add_hint("try again when nobody else signs this image");
}

}  // namespace oci
