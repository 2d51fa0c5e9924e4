// `switchyard pull`: brings a model into the cache, and lists the names that it knows.
#pragma once

#include <string_view>

#include "cli/command_line.h"
#include "cli/environment.h"
#include "cli/model_store.h"

namespace switchyard::cli {

// `environment` must outlive the command line's run.
void AddPullCommand(CommandLine& line, const Environment& environment);

// store.Resolve with a progress bar on standard error; for every subcommand that takes a model.
base::Result<LocalModel> ResolveShowingProgress(const ModelStore& store, std::string_view model,
                                                Freshness freshness);

}  // namespace switchyard::cli
