#include "cli/pull_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

#include "cli/model_store.h"
#include "cli/progress_bar.h"

namespace switchyard::cli {
namespace {

struct PullOptions {
  std::string model;
  bool list = false;
};

std::string SourceOf(const RegisteredModel& model) {
  if (model.package) return fmt::format("Python package {}", model.package->package);
  std::string source;
  if (model.hf) source = "hf:" + model.hf->repository;
  if (model.ms) source += (source.empty() ? "ms:" : ", ms:") + model.ms->repository;
  return source;
}

void PrintKnown(const ModelStore& store) {
  const std::vector<KnownModel> known = store.Known();
  std::size_t widest = 0;
  for (const KnownModel& entry : known) widest = std::max(widest, entry.model.name.size());
  for (const KnownModel& entry : known) {
    const RegisteredModel& model = entry.model;
    fmt::print("{:<{}}  {}\n", model.name, widest, model.description);
    fmt::print("{:<{}}  {}, from {}\n", "", widest,
               model.licence.empty() ? "licence not stated" : model.licence, SourceOf(model));
    if (entry.cached_path) {
      fmt::print("{:<{}}  cached: {}\n", "", widest, entry.cached_path->string());
    }
  }
}

base::Status Pull(const PullOptions& options, const Environment& environment) {
  SWITCHYARD_TRY(const ModelStore store, ModelStore::Create(ReadModelStoreOptions(environment)));
  if (options.list) {
    PrintKnown(store);
    return {};
  }
  SWITCHYARD_TRY(const LocalModel model,
                 ResolveShowingProgress(store, options.model, Freshness::kLatest));
  if (model.was_there) fmt::print(stderr, "Already here, and whole:\n");
  fmt::print("{}\n", model.path.string());
  return {};
}

}  // namespace

base::Result<LocalModel> ResolveShowingProgress(const ModelStore& store, std::string_view model,
                                                Freshness freshness) {
  ProgressBar bar(stderr);
  const PullEvents events{
      .on_progress = [&](const PullProgress& progress) { bar.Update(progress); },
      .on_notice = [&](std::string_view text) { bar.Say(text); }};
  auto found = store.Resolve(model, freshness, events);
  bar.Finish();
  return found;
}

void AddPullCommand(CommandLine& line, const Environment& environment) {
  // Shared by the parser, which fills it, and the body, which reads it.
  const auto options = std::make_shared<PullOptions>();
  CLI::App& command =
      line.Add("pull", "Brings a model into the cache, or lists the names that are known",
               [options, &environment] { return Pull(*options, environment); });
  CLI::Option* model = command.add_option(
      "model", options->model,
      "A name from --list; ORG/REPO[@REVISION][:FILE or QUANTISATION] on Hugging Face (hf:) or "
      "ModelScope (ms:); or the address of a GGUF file");
  CLI::Option* list =
      command.add_flag("--list", options->list, "Show the known names and what is cached");
  model->excludes(list);
  command.parse_complete_callback([options] {
    if (options->model.empty() && !options->list) {
      throw CLI::RequiredError("A model, or --list,");
    }
  });
}

}  // namespace switchyard::cli
