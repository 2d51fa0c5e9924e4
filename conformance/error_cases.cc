// Each documented failure: the code, a sentence, outputs untouched, and a device that is none the
// worse. And what a newer host may send: longer structs.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "conformance/suite.h"
#include "conformance/types.h"
#include "ops/tensor_span.h"

namespace switchyard::conformance {
namespace {

using base::ErrorCode;

std::string LastSentence(const Session& session) {
  const char* sentence = session.api().last_error();
  return sentence == nullptr ? "" : sentence;
}

// ---- Options and sentences ----------------------------------------------------------------------

Outcome NamesUnknownOptions(Context& context) {
  const auto opened = context.tested.OpenAgain({{"colour_of_the_case", "blue"}});
  if (opened) return Failure("an option that no chip has is accepted");
  if (opened.error().code != ErrorCode::kInvalidArgument) {
    return Failure("an unknown option is not said to be invalid: " + opened.error().message);
  }
  if (opened.error().message.find("colour_of_the_case") == std::string::npos) {
    return Failure("the sentence does not name the unknown option: " + opened.error().message);
  }
  const sy_chip_api& api = context.tested.api();
  const sy_option option = {sizeof(sy_option), "colour_of_the_case", "blue"};
  auto* const untouched = reinterpret_cast<sy_device*>(&context);
  sy_device* device = untouched;
  if (api.device_open(context.tested.index(), &option, 1, &device) == SY_OK) {
    return Failure("an option that no chip has is accepted");
  }
  return device == untouched ? Pass() : Failure("a failed device_open wrote its output");
}

Outcome KeepsSentencesByThread(Context& context) {
  const auto fail = [&context](const char* name) {
    const sy_option option = {sizeof(sy_option), name, "1"};
    sy_device* device = nullptr;
    return context.tested.api().device_open(context.tested.index(), &option, 1, &device);
  };
  if (fail("first_unknown_option") == SY_OK)
    return Failure("an option that no chip has is accepted");
  std::string others;
  std::jthread([&] {
    if (fail("second_unknown_option") != SY_OK) others = LastSentence(context.tested);
  }).join();
  const std::string own = LastSentence(context.tested);
  if (own.find("first_unknown_option") == std::string::npos) {
    return Failure("a failure on another thread changed this thread's sentence to: " + own);
  }
  if (others.find("second_unknown_option") == std::string::npos) {
    return Failure("the other thread's sentence is: " + others);
  }
  return Pass();
}

// ---- Weights ------------------------------------------------------------------------------------

Outcome RefusesMalformedWeights(Context& context) {
  Session& session = context.tested;
  const std::vector<std::byte> bytes = Encode(DType::kQ8_0, Normal(context.random, 4 * 64));
  sy_weight_desc good{};
  good.struct_size = sizeof good;
  good.dtype = SY_Q8_0;
  good.rank = 2;
  good.dims[0] = 4;
  good.dims[1] = 64;
  good.dims[2] = good.dims[3] = 1;
  good.use = SY_WEIGHT_LINEAR;
  good.data = bytes.data();
  good.data_bytes = bytes.size();
  {
    const auto weight = session.CreateWeight(good);
    const bool is_lacking = !weight && weight.error().code == ErrorCode::kUnimplemented;
    if (!weight && !is_lacking) return OutcomeOf(weight.error());
  }
  const std::array<std::pair<const char*, void (*)(sy_weight_desc&)>, 10> damages = {{
      {"too few bytes", [](sy_weight_desc& desc) { desc.data_bytes -= 1; }},
      {"too many bytes", [](sy_weight_desc& desc) { desc.data_bytes += 34; }},
      {"no bytes", [](sy_weight_desc& desc) { desc.data_bytes = 0; }},
      {"no data", [](sy_weight_desc& desc) { desc.data = nullptr; }},
      {"rank 0", [](sy_weight_desc& desc) { desc.rank = 0; }},
      {"rank 5", [](sy_weight_desc& desc) { desc.rank = 5; }},
      {"a dim of 0", [](sy_weight_desc& desc) { desc.dims[0] = 0; }},
      {"a negative dim", [](sy_weight_desc& desc) { desc.dims[1] = -64; }},
      {"half a block", [](sy_weight_desc& desc) { desc.dims[1] = 48; }},
      {"dims that overflow",
       [](sy_weight_desc& desc) { desc.dims[0] = std::numeric_limits<std::int64_t>::max() / 8; }},
  }};
  for (const auto& [name, damage] : damages) {
    sy_weight_desc desc = good;
    damage(desc);
    auto* const untouched = reinterpret_cast<sy_weight*>(&desc);
    sy_weight* weight = untouched;
    if (session.api().weight_create(session.device(), &desc, &weight) == SY_OK) {
      session.api().weight_destroy(weight);
      return Failure(fmt::format("a weight with {} is accepted", name));
    }
    if (weight != untouched) return Failure(fmt::format("refusing {} wrote the output", name));
    if (LastSentence(session).empty()) {
      return Failure(fmt::format("refusing a weight with {} leaves last_error empty", name));
    }
  }
  return Pass();
}

// ---- Programs -----------------------------------------------------------------------------------

// A window of the middle rows of x, doubled twice.
struct Windowed {
  Scenario scenario;
  Tensor x, window, between, y;

  explicit Windowed(Random& random) : scenario(random) {
    Scenario& s = scenario;
    x = s.Floats(DType::kF32, {4, 64});
    window = s.list.View(x, 64 * 4, {2, 64});
    between = s.list.Scale(window, 2);
    y = s.list.Scale(between, 2);
    s.Compare(y, "y", kExact);
    s.Seal();
  }
  sy_tensor& at(Tensor tensor) { return scenario.tensors[tensor.index]; }
};

struct Damage {
  const char* name;
  void (*apply)(Windowed&);
};

// Each would have a chip touch what is not its own.
constexpr Damage kUnsafe[] = {
    {"a view that begins at its base's end",
     [](Windowed& w) { w.at(w.window).offset_bytes = 1024; }},
    {"a view far outside of its base",
     [](Windowed& w) { w.at(w.window).offset_bytes = std::uint64_t{1} << 62; }},
    {"a view longer than its base", [](Windowed& w) { w.at(w.window).dims[0] = 4; }},
    {"a view of itself", [](Windowed& w) { w.at(w.window).base = w.window.index; }},
    {"a view of no tensor", [](Windowed& w) { w.at(w.window).base = 1000; }},
    {"an argument without a slot", [](Windowed& w) { w.at(w.x).slot = 1000; }},
    {"an operation on no tensor", [](Windowed& w) { w.scenario.ops[0].inputs[0] = 1000; }},
    {"an operation without an input",
     [](Windowed& w) { w.scenario.ops[0].inputs[0] = SY_NO_TENSOR; }},
    {"an operation without an output",
     [](Windowed& w) { w.scenario.ops[0].outputs[0] = SY_NO_TENSOR; }},
    {"a tensor of rank 0", [](Windowed& w) { w.at(w.between).rank = 0; }},
    {"a tensor of rank 9", [](Windowed& w) { w.at(w.between).rank = 9; }},
    {"a negative dim", [](Windowed& w) { w.at(w.between).dims[0] = -2; }},
    {"a dim of 2^62", [](Windowed& w) { w.at(w.between).dims[0] = std::int64_t{1} << 62; }},
    {"rows that overlap", [](Windowed& w) { w.at(w.y).strides[0] = 4; }},
    {"a negative stride", [](Windowed& w) { w.at(w.y).strides[0] = -256; }},
    {"a result smaller than its input", [](Windowed& w) { w.at(w.y).dims[1] = 32; }},
    {"a tensor of no type", [](Windowed& w) { w.at(w.between).dtype = 9999; }},
    {"an activation of a quantised type", [](Windowed& w) { w.at(w.between).dtype = SY_Q4_0; }},
    {"a tensor in no storage", [](Windowed& w) { w.at(w.between).storage = 77; }},
};

Outcome RefusesMalformedPrograms(Context& context) {
  Session& session = context.tested;
  {
    Windowed good(context.random);
    const auto execution = Execution::Prepare(session, good.scenario);
    if (!execution) return OutcomeOf(execution.error());
  }
  for (const Damage& damage : kUnsafe) {
    Windowed windowed(context.random);
    damage.apply(windowed);
    const sy_program_desc desc = windowed.scenario.desc();
    // Whatever it answers, it must live.
    for (std::uint32_t op = 0; op < 3; ++op) {
      session.api().op_supported(session.device(), &desc, op);
    }
    auto* const untouched = reinterpret_cast<sy_program*>(&windowed);
    sy_program* program = untouched;
    if (session.api().program_create(session.device(), &desc, &program) == SY_OK) {
      session.api().program_destroy(program);
      return Failure(fmt::format("a program with {} is accepted", damage.name));
    }
    if (program != untouched) {
      return Failure(fmt::format("refusing {} wrote the output", damage.name));
    }
    if (LastSentence(session).empty()) {
      return Failure(fmt::format("refusing {} leaves last_error empty", damage.name));
    }
  }
  return Pass();
}

// Refused, or run without harm: what a NaN makes of a result is a NaN.
Outcome SurvivesBadAttributes(Context& context) {
  Session& session = context.tested;
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  for (const float value : {kNaN, INFINITY, -INFINITY, -1.0F, 0.0F}) {
    for (const int field : {0, 1, 2}) {
      Scenario s(context.random);
      const Tensor x = s.Floats(DType::kF32, {3, 64});
      const Tensor normed = s.list.RmsNorm(x, s.Vector(64), 1e-5F);
      s.Compare(s.list.Scale(normed, 0.5F, 3), "y", kExact);
      s.Seal();
      (field == 0 ? s.ops[0].eps : field == 1 ? s.ops[1].scale : s.ops[1].softcap) = value;
      // The suite's own rules refuse most of these, so this goes without an Execution.
      const sy_program_desc desc = s.desc();
      session.api().op_supported(session.device(), &desc, 0);
      session.api().op_supported(session.device(), &desc, 1);
      sy_program* made = nullptr;
      std::vector<sy_tensor> tensors = s.tensors;
      sy_program_desc ready = desc;
      std::vector<Handle<sy_weight>> weights;
      for (std::uint32_t i = 0; i < tensors.size(); ++i) {
        if (tensors[i].storage != SY_STORAGE_WEIGHT) continue;
        sy_weight_desc weight{};
        weight.struct_size = sizeof weight;
        weight.dtype = tensors[i].dtype;
        weight.rank = tensors[i].rank;
        std::copy_n(tensors[i].dims, SY_MAX_RANK, weight.dims);
        weight.use = s.weight(i).use;
        weight.data = s.weight(i).bytes.data();
        weight.data_bytes = s.weight(i).bytes.size();
        auto created = session.CreateWeight(weight);
        if (!created) return OutcomeOf(created.error());
        tensors[i].weight = created->get();
        weights.push_back(std::move(*created));
      }
      ready.tensors = tensors.data();
      if (session.api().program_create(session.device(), &ready, &made) != SY_OK) {
        if (LastSentence(session).empty()) return Failure("a refusal leaves last_error empty");
        continue;
      }
      const Handle<sy_program> program(made, session.api().program_destroy);
      sy_program_properties properties{};
      properties.struct_size = sizeof properties;
      CONFORMANCE_TRY(
          session.Check(session.api().program_properties(made, &properties), "program_properties"));
      auto workspace = session.CreateBuffer(properties.workspace_bytes);
      auto buffer = session.CreateBuffer(4096);
      if (!workspace || !buffer) return Failure("two small buffers cannot be had");
      std::array<sy_binding, 2> bindings{};
      for (std::size_t slot = 0; slot < 2; ++slot) {
        // x below, y above, 1 KiB between them.
        bindings[slot] = {sizeof(sy_binding), buffer->get(), slot * 2048, nullptr};
      }
      const std::vector<std::byte> before(4096, std::byte{0x3f});
      CONFORMANCE_TRY(session.Upload(buffer->get(), 0, before.data(), before.size()));
      // Whether it fails is its own business.
      session.api().program_run(made, bindings.data(), 2, workspace->get(), 0, session.queue());
      std::vector<std::byte> after(4096);
      CONFORMANCE_TRY(session.Download(after.data(), buffer->get(), 0, after.size()));
      std::fill_n(after.begin() + 2048, 3 * 64 * 4, std::byte{0x3f});
      if (after != before) {
        return Failure(
            fmt::format("attribute {} = {} has a run write outside of its result", field, value));
      }
    }
  }
  return Pass();
}

Outcome RefusesForeignWeights(Context& context) {
  Session& session = context.tested;
  Scenario s(context.random);
  s.Compare(s.list.Linear(s.Floats(DType::kF32, {2, 64}), s.Matrix(DType::kF32, {8, 64})), "y",
            kExact);
  s.Seal();
  if (auto execution = Execution::Prepare(session, s); !execution) {
    return OutcomeOf(execution.error());
  }
  const auto is_refused = [&](sy_weight* weight) {
    std::vector<sy_tensor> tensors = s.tensors;
    for (sy_tensor& tensor : tensors) {
      if (tensor.storage == SY_STORAGE_WEIGHT) tensor.weight = weight;
    }
    sy_program_desc desc = s.desc();
    desc.tensors = tensors.data();
    sy_program* program = nullptr;
    const sy_status status = session.api().program_create(session.device(), &desc, &program);
    if (status == SY_OK) session.api().program_destroy(program);
    return status != SY_OK && program == nullptr && !LastSentence(session).empty();
  };
  if (!is_refused(nullptr)) return Failure("a program without its weight is accepted");
  const std::vector<std::byte> bytes = Encode(DType::kF32, Normal(context.random, 4 * 64));
  sy_weight_desc smaller{};
  smaller.struct_size = sizeof smaller;
  smaller.rank = 2;
  smaller.dims[0] = 4;
  smaller.dims[1] = 64;
  smaller.dims[2] = smaller.dims[3] = 1;
  smaller.use = SY_WEIGHT_LINEAR;
  smaller.data = bytes.data();
  smaller.data_bytes = bytes.size();
  auto weight = session.CreateWeight(smaller);
  if (!weight) return OutcomeOf(weight.error());
  return is_refused(weight->get()) ? Pass() : Failure("a weight of other dims is accepted");
}

// ---- Runs ---------------------------------------------------------------------------------------

// A refused run says so, and writes nothing.
Outcome RefusesBadBindings(Context& context) {
  Session& session = context.tested;
  Windowed windowed(context.random);
  const Scenario& s = windowed.scenario;
  auto prepared = Execution::Prepare(session, s);
  if (!prepared) return OutcomeOf(prepared.error());
  Execution& execution = **prepared;
  sy_program_properties properties{};
  properties.struct_size = sizeof properties;
  CONFORMANCE_TRY(session.Check(session.api().program_properties(execution.program(), &properties),
                                "program_properties"));
  CONFORMANCE_TRY(execution.FillArguments(session.queue()));
  const auto untouched = execution.ReadResults(session.queue());
  if (!untouched) return OutcomeOf(untouched.error());

  const std::vector<sy_binding> good(execution.bindings().begin(), execution.bindings().end());
  const std::uint64_t x_bytes = ops::SpanBytes(execution.tensor(windowed.x));
  auto exact = session.CreateBuffer(x_bytes);
  auto shorter = session.CreateBuffer(x_bytes - 1);
  if (!exact || !shorter) return Failure("two small buffers cannot be had");
  struct Attempt {
    const char* name;
    std::vector<sy_binding> bindings;
    sy_buffer* workspace;
    std::uint64_t workspace_offset = 0;
  };
  const auto with = [&](std::size_t slot, sy_buffer* buffer, std::uint64_t offset) {
    std::vector<sy_binding> bindings = good;
    bindings[slot].buffer = buffer;
    bindings[slot].offset_bytes = offset;
    return bindings;
  };
  const std::uint32_t slot = execution.tensor(windowed.x).slot;
  const std::uint64_t alignment = session.properties().alignment_bytes;
  sy_buffer* const workspace = execution.workspace();
  std::vector<Attempt> attempts = {
      {"no bindings", {}, workspace},
      {"too few bindings", {good[0]}, workspace},
      {"an unbound slot", with(slot, nullptr, 0), workspace},
      {"a buffer that is a byte too small", with(slot, shorter->get(), 0), workspace},
      {"a buffer that is too small from where it is bound", with(slot, exact->get(), alignment),
       workspace},
      {"a binding beyond its buffer", with(slot, exact->get(), x_bytes + alignment), workspace},
      {"an offset that overflows",
       with(slot, exact->get(), ~std::uint64_t{0} / alignment * alignment), workspace},
  };
  if (alignment > 1) {
    attempts.push_back({"a misaligned offset",
                        with(slot, good[slot].buffer, good[slot].offset_bytes + 1), workspace});
  }
  Handle<sy_buffer> cramped{nullptr, nullptr};
  if (properties.workspace_bytes > 0) {
    auto made = session.CreateBuffer(properties.workspace_bytes - 1);
    if (!made) return OutcomeOf(made.error());
    cramped = std::move(*made);
    attempts.push_back({"a workspace that is a byte too small", good, cramped.get()});
    attempts.push_back({"no workspace", good, nullptr});
    attempts.push_back({"a workspace from beyond its buffer", good, workspace,
                        (properties.workspace_bytes / alignment + 1) * alignment});
  }
  for (const Attempt& attempt : attempts) {
    const sy_status status =
        session.api().program_run(execution.program(), attempt.bindings.data(),
                                  static_cast<std::uint32_t>(attempt.bindings.size()),
                                  attempt.workspace, attempt.workspace_offset, session.queue());
    if (status != static_cast<sy_status>(SY_INVALID_ARGUMENT)) {
      return Failure(fmt::format("a run with {} gives status {}, not {}", attempt.name, status,
                                 static_cast<sy_status>(SY_INVALID_ARGUMENT)));
    }
    if (LastSentence(session).empty()) {
      return Failure(fmt::format("refusing {} leaves last_error empty", attempt.name));
    }
    const auto after = execution.ReadResults(session.queue());
    if (!after) return Failure(fmt::format("after {}: {}", attempt.name, after.error().message));
    if (*after != *untouched) {
      return Failure(fmt::format("a run refused for {} wrote its results", attempt.name));
    }
  }
  // And what is just large enough is taken.
  const auto exactly = with(slot, exact->get(), 0);
  CONFORMANCE_TRY(
      session.Check(session.api().program_run(execution.program(), exactly.data(),
                                              static_cast<std::uint32_t>(exactly.size()), workspace,
                                              0, session.queue()),
                    "a run whose buffer is just large enough"));
  CONFORMANCE_TRY(session.Check(session.api().queue_sync(session.queue()), "queue_sync"));
  return Pass();
}

// ---- A newer host -------------------------------------------------------------------------------

// Elements with more after them than this version knows, which must be skipped.
template <typename T>
std::vector<std::byte> Lengthened(std::span<const T> values) {
  constexpr std::size_t kMore = 24;
  std::vector<std::byte> bytes(values.size() * (sizeof(T) + kMore), std::byte{0x99});
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value = values[i];
    value.struct_size = sizeof(T) + kMore;
    std::memcpy(bytes.data() + i * (sizeof(T) + kMore), &value, sizeof value);
  }
  return bytes;
}

Outcome StepsByStructSize(Context& context) {
  Session& session = context.tested;
  Windowed windowed(context.random);
  const Scenario& s = windowed.scenario;
  auto execution = Execution::Prepare(session, s);
  if (!execution) return OutcomeOf(execution.error());
  const auto plain = (*execution)->Run();
  if (!plain) return OutcomeOf(plain.error());
  const auto tensors = Lengthened(std::span<const sy_tensor>(s.tensors));
  const auto ops = Lengthened(std::span<const sy_op>(s.ops));
  sy_program_desc desc = s.desc();
  desc.tensors = reinterpret_cast<const sy_tensor*>(tensors.data());
  desc.ops = reinterpret_cast<const sy_op*>(ops.data());
  for (std::uint32_t op = 0; op < 2; ++op) {
    if (session.api().op_supported(session.device(), &desc, op) == 1) continue;
    return Failure("longer structs make an operation unsupported: " + LastSentence(session));
  }
  auto program = session.CreateProgram(desc);
  if (!program) return Failure("structs of a newer host: " + program.error().message);
  const auto bindings = Lengthened((*execution)->bindings());
  CONFORMANCE_TRY((*execution)->FillArguments(session.queue()));
  CONFORMANCE_TRY(session.Check(
      session.api().program_run(program->get(),
                                reinterpret_cast<const sy_binding*>(bindings.data()),
                                static_cast<std::uint32_t>((*execution)->bindings().size()),
                                (*execution)->workspace(), 0, session.queue()),
      "a run with bindings of a newer host"));
  const auto outputs = (*execution)->ReadResults(session.queue());
  if (!outputs) return Failure(outputs.error().message);
  return *outputs == *plain ? Pass() : Failure("structs of a newer host give other results");
}

}  // namespace

void AddErrorCases(std::vector<Case>& cases) {
  cases.push_back(InterfaceCase("errors", "names unknown options", NamesUnknownOptions));
  cases.push_back(InterfaceCase("errors", "keeps sentences by thread", KeepsSentencesByThread));
  cases.push_back(InterfaceCase("weights", "refuses malformed weights", RefusesMalformedWeights));
  cases.push_back(
      InterfaceCase("programs", "refuses malformed programs", RefusesMalformedPrograms));
  cases.push_back(InterfaceCase("programs", "survives bad attributes", SurvivesBadAttributes));
  cases.push_back(InterfaceCase("programs", "refuses foreign weights", RefusesForeignWeights));
  cases.push_back(InterfaceCase("programs", "refuses bad bindings", RefusesBadBindings));
  cases.push_back(InterfaceCase("programs", "steps by struct_size", StepsByStructSize));
}

}  // namespace switchyard::conformance
