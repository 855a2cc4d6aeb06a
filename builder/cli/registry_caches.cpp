#include "builder/cli/registry_caches.h"

#include <fmt/format.h>

#include "oci/base/reference.h"
#include "oci/store/blob_range.h"

#include "builder/run/fetched_tree.h"
#include "builder/tell/text.h"

namespace lithify {

namespace {

constexpr unsigned k_parallel = 4;

RegistryOptions access_options(const Options& options, std::stop_token stop) {
  RegistryOptions wanted;
  wanted.auth_file = options.auth_file;
  wanted.chunk_size = options.chunk_size;
  wanted.retry.attempts = 2;
  wanted.retry.longest_asked = std::chrono::seconds(20);
  wanted.stop = std::move(stop);
  return wanted;
}

CacheRepository opened(RegistryAccess& access, const std::string& name,
                       oci::Access wanted) {
  auto client = access.open(name, wanted);
  oci::RegistryClient& at = *client;
  CacheRepository made{name, std::move(client), {}, {}};
  made.read = [&at](const std::string& tag) { return at.manifest_of(tag); };
  made.write_tag = [&at](const std::string& tag, const oci::Descriptor& manifest) {
    at.set_tag_if(tag, manifest, {.absent = true});
  };
  return made;
}

}  // namespace

std::string cache_name(std::string_view flag, std::string_view text) {
  const oci::Reference reference =
      oci::during([&] { return fmt::format("reading {}", flag); },
                  [&] { return oci::Reference::parse(text); });
  const std::size_t slash = text.rfind('/');
  const std::string_view last =
      slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (last.find_first_of(":@") == std::string_view::npos) return reference.name();
  throw oci::Error(oci::Errc::bad_input,
                   fmt::format("{} takes a repository, not one of its {}", flag,
                               reference.digest ? "digests" : "tags"))
      .add_note("each result has a tag of its own there")
      .add_hint(fmt::format("write `{} {}`", flag, reference.name()));
}

RegistryCaches::RegistryCaches(oci::HttpClient& http, const Environment& environment,
                               const Options& options, oci::Repository& images,
                               std::stop_token stop)
    : access_(http, environment, access_options(options, std::move(stop))),
      contents_(images, [this](const oci::BlobRef& blob) { bring(blob); }) {
  if (!options.no_cache && !options.cache_from.empty()) {
    std::vector<CacheRepository> places;
    for (const std::string& name : options.cache_from)
      places.push_back(opened(access_, name, oci::Access::pull));
    from_names_ = options.cache_from;
    from_ = std::make_unique<RegistryCache>(std::move(places), images);
  }
  if (!options.cache_to.empty()) {
    to_ = std::make_unique<RegistryCacheWriter>(
        opened(access_, options.cache_to, oci::Access::push), contents_);
  }
}

void RegistryCaches::bring(const oci::BlobRef& blob) {
  if (!from_) throw oci::no_such_blob(blob.digest, "the store");
  from_->bring(blob);
}

// Steps that read nothing but downloads: what those will be is known from the lock.
void RegistryCaches::expect(const Graph& graph) {
  if (!from_) return;
  std::vector<oci::Digest> keys;
  for (const Step& step : graph.steps()) {
    std::vector<oci::Digest> inputs;
    for (const StepIndex input : step.inputs) {
      const auto* fetch = std::get_if<Fetch>(&graph.step(input).operation);
      if (fetch != nullptr) inputs.push_back(fetched_tree(*fetch).digest());
    }
    if (!is_worth_keeping(step) || inputs.size() != step.inputs.size()) continue;
    keys.push_back(step_key(step, inputs));
  }
  from_->expect(std::move(keys));
}

bool RegistryCaches::gave_up() {
  if (!from_ || !from_->broke_promise()) return false;
  from_->give_up();
  return true;
}

void RegistryCaches::save(oci::Activity& activity, std::stop_token stop) {
  if (!to_ || (from_ && from_->is_lost(to_->name()))) return;
  saved_ = to_->save(activity, std::move(stop), k_parallel);
}

void RegistryCaches::tell_layers(oci::Registries& registries) const {
  if (from_) {
    for (const auto& [layer, name] : from_->places_of_layers())
      registries.seen(layer, name);
  }
  if (to_) {
    for (const oci::Digest& layer : to_->layers())
      registries.seen(layer, to_->name());
  }
}

std::vector<oci::Error> RegistryCaches::take_warnings() {
  std::vector<oci::Error> all;
  if (from_) all = from_->take_warnings();
  if (to_) {
    for (oci::Error& warning : to_->take_warnings())
      all.push_back(std::move(warning));
  }
  return all;
}

std::string RegistryCaches::summary() const {
  std::string text;
  if (from_) {
    text += fmt::format("cache  {} {} found in", from_->found(),
                        from_->found() == 1 ? "result" : "results");
    for (const std::string& name : from_names_)
      text += " " + name;
    text += "\n";
  }
  if (to_) {
    text += fmt::format("cache  {} {} sent to {}, {}; {} there before\n", saved_.written,
                        saved_.written == 1 ? "result" : "results", to_->name(),
                        human_size(saved_.bytes), saved_.there);
  }
  return text;
}

}  // namespace lithify
