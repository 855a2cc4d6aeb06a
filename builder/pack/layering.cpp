#include "builder/pack/layering.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "builder/tree/follow.h"

namespace lithify {

namespace {

using oci::FileType;

constexpr int k_default_budget = 120;  // overlay file systems take about 127 layers

// A whiteout is a name and nothing else.
Node bare_whiteout() {
  Node node;
  node.type = FileType::whiteout;
  node.attributes.mtime = k_constant_time;
  return node;
}

// A change as its layer will have it, above the layers of ours below it.
class Settling {
 public:
  Settling(const Tree& below, bool scratch) : below_(below), scratch_(scratch) {}

  Tree settle(const Tree& change) && {
    if (stays(change)) return change;
    for (const auto& [path, node] : change.nodes())
      place(path, node);
    return Tree(std::move(settled_));
  }

 private:
  // Nearly always so, and then nothing has to be copied: the first of our layers, from
  // scratch, without a mark.
  bool stays(const Tree& change) const {
    const Node implied = implied_directory(k_constant_time);
    return scratch_ && below_.nodes().empty() &&
           std::all_of(change.nodes().begin(), change.nodes().end(),
                       [&](const auto& item) {
                         const Node& node = item.second;
                         return node.type != FileType::whiteout &&
                                node.type != FileType::opaque &&
                                (!node.implied || node == implied);
                       });
  }

  void place(const std::string& path, const Node& node) {
    const std::string real = through_parents(path);
    const Node* there = below_.find(real);
    if (node.type == FileType::whiteout) {
      if (!scratch_ || there != nullptr) settled_.insert_or_assign(real, bare_whiteout());
    } else if (node.type == FileType::directory) {
      place_directory(path, real, node);
    } else {
      Node& placed = settled_.insert_or_assign(real, node).first->second;
      const bool hides = !scratch_ || (there != nullptr && is_directory(*there));
      if (node.type == FileType::opaque && !hides) placed.type = FileType::directory;
    }
  }

  // As merge() lays it: on a symlink it goes where that leads, because a runtime would
  // have the directory replace it.
  void place_directory(const std::string& path, const std::string& real,
                       const Node& node) {
    const Node* there = below_.find(real);
    if (there != nullptr && there->type == FileType::symlink) {
      const std::string& led = moved_[path] = directory_behind(below_.nodes(), real);
      write_implied(node.implied ? std::string_view(led) : parent_of(led));
      if (!node.implied) settled_.insert_or_assign(led, node);
    } else if (!node.implied) {
      settled_.insert_or_assign(real, node);
    } else if (there != nullptr && !is_directory(*there)) {
      throw no_directory(real);
    } else {
      write_implied(real);
    }
  }

  // The directory and those above it, where no layer of ours has them yet.
  void write_implied(std::string_view path) {
    if (!scratch_) return;
    for (; !path.empty(); path = parent_of(path)) {
      const Node* there = below_.find(path);
      if (there != nullptr && is_directory(*there)) return;
      settled_.try_emplace(std::string(path), implied_directory(k_constant_time));
    }
  }

  std::string through_parents(const std::string& path) const {
    if (moved_.empty()) return path;
    for (std::string_view up = parent_of(path); !up.empty(); up = parent_of(up)) {
      const auto found = moved_.find(up);
      if (found == moved_.end()) continue;
      const std::string rest = path.substr(up.size() + 1);
      return found->second.empty() ? rest : found->second + "/" + rest;
    }
    return path;
  }

  const Tree& below_;
  bool scratch_;
  Tree::Nodes settled_;
  // Directories that are symlinks below, and where those lead.
  std::map<std::string, std::string, std::less<>> moved_;
};

Tree change_of(const LayerPlan& layer, std::span<const Tree> results) {
  std::vector<Tree> changes;
  for (const StepIndex step : layer.steps)
    changes.push_back(results[step]);
  return merge(changes, true);
}

// Gives the error the place of the step that cannot be laid on what is below it.
void blame_step(oci::Error& error, const Tree& below, const LayerPlan& layer,
                std::span<const Tree> results) {
  std::vector<Tree> laid{below};
  for (std::size_t i = 0; i < layer.steps.size() && i < layer.places.size(); ++i) {
    laid.push_back(results[layer.steps[i]]);
    try {
      merge(laid, false);
    } catch (const oci::Error&) {
      error.at(layer.places[i]);
      return;
    }
  }
}

// Which package each path belongs to. Names of one file follow the first of them.
std::map<std::string_view, std::string_view> owners(const Tree& change) {
  std::map<std::string_view, std::string_view> owner;
  std::map<std::uint64_t, std::string_view> of_file;
  for (const auto& [path, node] : change.nodes()) {
    if (node.type == FileType::directory) continue;
    std::string_view origin = node.origin;
    if (node.file_id != 0)
      origin = of_file.try_emplace(node.file_id, origin).first->second;
    owner[path] = origin;
  }
  return owner;
}

// The packages that get a layer of their own: the largest, ties by name.
std::set<std::string_view> largest(
    const Tree& change, const std::map<std::string_view, std::string_view>& owner,
    std::size_t most) {
  std::map<std::string_view, std::uint64_t> sizes;
  for (const auto& [path, origin] : owner) {
    const Node* node = change.find(path);
    if (!origin.empty()) sizes[origin] += node->content ? size_of(*node->content) : 0;
  }
  std::vector<std::pair<std::uint64_t, std::string_view>> ranked;
  for (const auto& [origin, size] : sizes)
    ranked.emplace_back(size, origin);
  std::sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::set<std::string_view> chosen;
  for (const auto& [size, origin] : ranked) {
    if (chosen.size() == most) break;
    chosen.insert(origin);
  }
  return chosen;
}

void add_with_parents(Tree::Nodes& to, const Tree& change, std::string_view path) {
  for (std::string_view up = parent_of(path); !up.empty(); up = parent_of(up)) {
    const Node* directory = change.find(up);
    if (directory != nullptr) to.try_emplace(std::string(up), *directory);
  }
  to.emplace(path, *change.find(path));
}

// How many layers each by-package layer of the variant may become.
std::size_t share_of_budget(const VariantPlan& plan, const Layering& layering) {
  const auto budget =
      static_cast<std::size_t>(layering.budget > 0 ? layering.budget : k_default_budget);
  const auto split = static_cast<std::size_t>(
      std::count_if(plan.layers.begin(), plan.layers.end(),
                    [](const LayerPlan& layer) { return layer.by_package; }));
  if (split == 0) return 1;
  const std::size_t whole = plan.layers.size() - split;
  return std::max<std::size_t>(1, (budget - std::min(budget, whole)) / split);
}

void refuse_too_many(const std::vector<LayerChange>& layers, const Layering& layering) {
  const auto count = std::count_if(
      layers.begin(), layers.end(),
      [](const LayerChange& layer) { return !layer.change.nodes().empty(); });
  const int budget = layering.budget > 0 ? layering.budget : k_default_budget;
  if (count <= budget) return;
  throw oci::Error(
      oci::Errc::bad_input,
      fmt::format("the image needs {} layers, more than its budget of {}", count, budget))
      .add_hint(
          "give neighbouring steps the same `layer:` name, or use "
          "`layering: {strategy: single}`");
}

// An opaque mark hides what lower layers have, so lower parts of the same change too.
bool hides_directories(const Tree& change) {
  return std::any_of(change.nodes().begin(), change.nodes().end(), [](const auto& entry) {
    return entry.second.type == FileType::opaque;
  });
}

}  // namespace

std::vector<LayerChange> split_by_package(const LayerChange& layer, std::size_t most) {
  const Tree& change = layer.change;
  const auto owner = owners(change);
  const auto alone = largest(change, owner, most - std::min<std::size_t>(most, 1));
  std::map<std::string_view, Tree::Nodes> parts;
  Tree::Nodes rest;
  for (const auto& [path, node] : change.nodes()) {
    const auto found = owner.find(path);
    const bool mine = found != owner.end() && alone.count(found->second) > 0;
    if (mine) {
      add_with_parents(parts[found->second], change, path);
    } else if (node.type != FileType::directory) {
      add_with_parents(rest, change, path);
    }
  }
  // A directory without anything below it in any part is in none yet.
  for (const auto& [path, node] : change.nodes()) {
    if (node.type != FileType::directory) continue;
    const bool taken = std::any_of(
        parts.begin(), parts.end(),
        [&path = path](const auto& part) { return part.second.count(path) > 0; });
    if (!taken) rest.try_emplace(path, node);
  }
  std::vector<LayerChange> layers;
  for (auto& [origin, nodes] : parts) {
    layers.push_back({std::string(origin), layer.history, Tree(std::move(nodes))});
  }
  if (!rest.empty() || layers.empty()) {
    layers.push_back({layer.name, layer.history, Tree(std::move(rest))});
  }
  return layers;
}

std::vector<LayerChange> layer_changes(const VariantPlan& plan, const Layering& layering,
                                       std::span<const Tree> results) {
  std::vector<LayerChange> layers;
  const std::size_t share = share_of_budget(plan, layering);
  Tree below;
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const LayerPlan& planned = plan.layers[i];
    LayerChange layer{planned.name, planned.history, {}};
    Tree change;
    try {
      change = change_of(planned, results);
      layer.change = Settling(below, !plan.base).settle(change);
    } catch (oci::Error& error) {
      blame_step(error, below, planned, results);
      throw;
    }
    if (planned.by_package && !hides_directories(layer.change)) {
      for (LayerChange& part : split_by_package(layer, share))
        layers.push_back(std::move(part));
    } else {
      layers.push_back(layer);
    }
    if (i + 1 < plan.layers.size()) below = merge(below, change, false);
  }
  refuse_too_many(layers, layering);
  return layers;
}

Tree merged_changes(const VariantPlan& plan, std::span<const Tree> results,
                    const Tree& base) {
  std::vector<Tree> changes;
  for (const LayerPlan& layer : plan.layers)
    changes.push_back(change_of(layer, results));
  if (!plan.base) return merge(changes, false);
  // The layers were made without a look at the base, and that is how they lie on it.
  return merge(base, merge(changes, true), false, OnSymlink::replace);
}

}  // namespace lithify
