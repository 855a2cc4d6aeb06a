#include "builder/cli/image_sbom.h"

#include <algorithm>

#include <fmt/format.h>

#include "oci/base/error.h"
#include "oci/image/manifest.h"
#include "oci/sign/statement.h"

#include "builder/attest/sbom.h"
#include "builder/cli/root_tree.h"

namespace lithify {

namespace {

// What is around a predicate in a statement, and room for more.
constexpr std::size_t k_statement_frame = 64 * 1024;

// Takes bytes up to a limit, and remembers if there were more.
class LimitedSink final : public oci::Sink {
 public:
  explicit LimitedSink(std::size_t limit) : limit_(limit) {}
  void write(oci::Bytes data) override {
    if (over || text.size() + data.size() > limit_) {
      over = true;
      text.clear();
    } else {
      text.append(reinterpret_cast<const char*>(data.data()), data.size());
    }
  }
  std::string text;
  bool over = false;

 private:
  std::size_t limit_;
};

// The changes of a variant's steps, each node marked with the step that brought it.
class Marking {
 public:
  Marking(const BuildFacts& facts, const VariantPlan& variant)
      : graph_(facts.prepared.plan.graph),
        has_base_(variant.base.has_value()),
        trees_(facts.results.begin(), facts.results.end()) {
    if (has_base_) parts_.push_back({base_name(variant), true, {}});
    for (const LayerPlan& layer : variant.layers) {
      for (const StepIndex step : layer.steps)
        add(step);
    }
  }

  const std::vector<Tree>& trees() const { return trees_; }
  std::vector<ImagePart> take_parts() && { return std::move(parts_); }

 private:
  static std::string base_name(const VariantPlan& variant) {
    const std::string& location = variant.base->location;
    return fmt::format("{}@{}", location.substr(location.find(':') + 1),
                       variant.base->manifest.digest.str());
  }

  void add(StepIndex index) {
    // Equal steps are one.
    if (std::find(done_.begin(), done_.end(), index) != done_.end()) return;
    const Step& step = graph_.steps()[index];
    ImagePart part{step.label, false, {}};
    bool attributes_only = false;
    if (const auto* edit = std::get_if<Edit>(&step.operation)) {
      for (const FileAction& action : edit->actions) {
        if (const auto* install = std::get_if<InstallDebianAction>(&action))
          part.packages = install->packages;
        if (std::holds_alternative<DropPackagedAction>(action))
          part.packages = scripted_packages(step);
        attributes_only = std::holds_alternative<SetAttributesAction>(action);
      }
    }
    const Tree& change = trees_[index];
    Tree made = attributes_only ? as_brought(change) : marked(change, parts_.size());
    trees_[index] = std::move(made);
    parts_.push_back(std::move(part));
    done_.push_back(index);
  }

  // What the first of the two changes that became one was made of.
  std::vector<std::string> scripted_packages(const Step& step) const {
    const auto& first = std::get<Edit>(graph_.steps()[step.inputs.at(0)].operation);
    return std::get<BootstrapDebianAction>(first.actions.at(0)).set.packages;
  }

  // A file whose attributes change was brought by an earlier step, or is the base's.
  Tree as_brought(const Tree& change) const {
    Tree own = marked(change, parts_.size());
    Tree::Nodes nodes = std::move(own).take_nodes();
    for (auto& [path, node] : nodes) {
      if (has_base_) node.origin.clear();
      for (auto step = done_.rbegin(); step != done_.rend(); ++step) {
        const Node* earlier = trees_[*step].find(path);
        if (earlier == nullptr || earlier->content != node.content) continue;
        node.origin = earlier->origin;
        break;
      }
    }
    return Tree(std::move(nodes));
  }

  const Graph& graph_;
  bool has_base_;
  std::vector<Tree> trees_;
  std::vector<ImagePart> parts_;
  std::vector<StepIndex> done_;
};

std::shared_ptr<const Inventory> inventory_of(const BuildFacts& facts,
                                              const ClaimSubject& subject) {
  if (facts.memo->of == subject.manifest.digest) return facts.memo->inventory;
  facts.memo->inventory.reset();  // two of them may be large
  Session& session = facts.session;
  const VariantPlan& variant = subject.plan.variants.at(subject.variant);
  oci::Activity activity(session.progress(), "list what is in " + subject.image.name);
  Workshop workshop = session.workshop(facts.prepared.workspace.recipe);
  Tree root;
  std::vector<ImagePart> parts;
  {
    Marking marking(facts, variant);
    root = root_tree(session, variant, marking.trees(), workshop, activity);
    parts = std::move(marking).take_parts();
  }
  facts.memo->inventory = std::make_shared<const Inventory>(oci::during(
      [&] { return "listing what is in " + subject.image.name; },
      [&] {
        return take_inventory(std::move(root), std::move(parts), facts.prepared.lock,
                              session.contents(), session.stop());
      }));
  facts.memo->of = subject.manifest.digest;
  activity.end(oci::Outcome::done);
  return facts.memo->inventory;
}

void write(const BuildFacts& facts, const ClaimSubject& subject, SbomForm form,
           std::pair<SbomFiles, oci::Sink&> how) {
  const auto inventory = inventory_of(facts, subject);
  const SbomSubject about{subject.image.name, subject.manifest.digest,
                          subject.plan.variants.at(subject.variant).platform,
                          oci::rfc3339(facts.prepared.epoch.seconds)};
  if (form == SbomForm::spdx) {
    write_spdx(*inventory, about, how.first, how.second);
  } else {
    write_cyclonedx(*inventory, about, how.first, how.second);
  }
}

}  // namespace

SbomForm parse_sbom_form(std::string_view name) {
  if (name == "spdx") return SbomForm::spdx;
  if (name == "cyclonedx") return SbomForm::cyclonedx;
  throw oci::Error(oci::Errc::bad_input, fmt::format("`{}` is no form of an SBOM", name))
      .add_hint("they are spdx and cyclonedx");
}

SbomForm sbom_form_of_file(std::string_view path) {
  if (path.ends_with(".spdx.json")) return SbomForm::spdx;
  if (path.ends_with(".cdx.json")) return SbomForm::cyclonedx;
  throw oci::Error(oci::Errc::bad_input,
                   fmt::format("the name of {} says no form of an SBOM", path))
      .add_hint("let it end with `.spdx.json` or `.cdx.json`");
}

void write_sbom(const BuildFacts& facts, const ClaimSubject& subject, SbomForm form,
                oci::Sink& to) {
  write(facts, subject, form, {SbomFiles::list, to});
}

std::string sbom_predicate(const BuildFacts& facts, const ClaimSubject& subject,
                           SbomForm form) {
  LimitedSink all(oci::Statement::k_max_size - k_statement_frame);
  write(facts, subject, form, {SbomFiles::list, all});
  if (!all.over) return std::move(all.text);
  oci::StringSink packages;
  write(facts, subject, form, {SbomFiles::leave_out, packages});
  return std::move(packages.text);
}

}  // namespace lithify
