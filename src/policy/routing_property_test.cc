// What must hold of routing whatever the fleet and the policy are.

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "policy/routing.h"

namespace switchyard::policy {
namespace {

const std::array<std::string, 3> kWords{"u", "v", "w"};
const std::array<std::string, 2> kOwners{"own", "rented"};

std::string Word() { return *rc::gen::elementOf(kWords); }
std::vector<std::string> SomeWords() {
  return *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kWords));
}
bool Rarely() { return *rc::gen::inRange(0, 4) == 0; }

// A fleet, a policy and a request, all at random.
struct World {
  std::vector<Place> places;
  std::vector<std::string> names;
  std::vector<RouteCandidate> candidates;
  RoutePolicy policy;
  std::vector<std::string> residency;
  std::vector<std::string> regions;
  RouteRequest request;

  World() {
    const int members = *rc::gen::inRange(1, 7);
    for (int i = 0; i < members; ++i) {
      places.push_back({.chip = Word(),
                        .maker = Word(),
                        .region = Word(),
                        .jurisdiction = Word(),
                        .owner = Rarely() ? Owner::kRented : Owner::kOwn});
      names.push_back("m" + std::to_string(i));
    }
    for (std::size_t i = 0; i < places.size(); ++i) {
      candidates.push_back(
          {.member = names[i],
           .place = &places[i],
           .serves_model = !Rarely(),
           .is_unheard = Rarely(),
           .context_tokens = Rarely() ? 100 : 0,
           .certificate = static_cast<CertificateState>(*rc::gen::inRange(0, 3)),
           .reach = static_cast<Reach>(*rc::gen::inRange(0, 6)),
           .is_forbidden = Rarely(),
           .export_rule = Rarely() ? "rule" : "",
           .load = {.in_flight = *rc::gen::inRange(0, 20), .busy_hours = Rarely() ? 9.0 : 0.0}});
    }
    if (Rarely()) policy.regions = SomeWords();
    if (Rarely()) policy.owners = {*rc::gen::elementOf(kOwners)};
    policy.certificates = static_cast<CertificateDemand>(*rc::gen::inRange(0, 3));
    policy.uncertified = SomeWords();
    for (const std::string& tag : kWords) {
      if (Rarely()) continue;  // not defined
      policy.residency.push_back({.tag = tag, .regions = SomeWords(), .makers = SomeWords()});
    }
    if (Rarely()) policy.stock = {{.chip = Word(), .hours_per_day = 8, .is_strict = true}};
    policy.tenants = {{.name = "t", .regions = SomeWords()}};
    if (Rarely()) residency = {Word()};
    if (Rarely()) regions = SomeWords();
    request = {.model = "m",
               .tenant = Rarely() ? "t" : "",
               .prompt_tokens = Rarely() ? 150 : 10,
               .is_estimate = false,
               .residency = residency,
               .regions = regions};
  }
};

bool Has(const std::vector<std::string>& words, const std::string& word) {
  return std::ranges::count(words, word) > 0;
}
bool Admits(const std::vector<std::string>& words, const std::string& word) {
  return words.empty() || Has(words, word);
}

// Written anew, by what docs/policy.md says.
bool MayRun(const World& world, std::size_t i, const Place* from) {
  const Place& place = world.places[i];
  const RouteCandidate& candidate = world.candidates[i];
  const std::string owner = place.owner == Owner::kOwn ? "own" : "rented";
  const RoutePolicy& policy = world.policy;
  bool may = candidate.serves_model && !candidate.is_forbidden && candidate.export_rule.empty();
  may &= candidate.context_tokens == 0 || world.request.prompt_tokens < candidate.context_tokens;
  may &= Admits(policy.regions, place.region) && Admits(world.regions, place.region);
  may &= Admits(policy.owners, owner);
  if (world.request.tenant == "t") may &= Admits(policy.tenants[0].regions, place.region);
  for (const std::string& tag : world.residency) {
    bool is_defined = false;
    for (const ResidencyRule& rule : policy.residency) {
      if (rule.tag != tag) continue;
      is_defined = true;
      may &= Admits(rule.regions, place.region) && Admits(rule.makers, place.maker);
    }
    may &= is_defined;
  }
  const bool wants_certificate = policy.certificates == CertificateDemand::kAlways ||
                                 (policy.certificates == CertificateDemand::kMoves &&
                                  from != nullptr && from->chip != place.chip);
  if (wants_certificate && candidate.certificate != CertificateState::kInForce) {
    may &= Has(policy.uncertified, place.chip);
  }
  for (const StockRule& rule : policy.stock) {
    may &= rule.chip != place.chip || candidate.load.busy_hours < rule.hours_per_day;
  }
  return may;
}

// A request is sent where routing says, fails there, and goes on elsewhere until nobody is left.
RC_GTEST_PROP(RoutingProperty, NothingRunsWhereAFilterForbidsUnderAnyFailure, ()) {
  World world;
  std::vector<std::string_view> tried;
  Resumption resumption;
  while (true) {
    world.request.tried = tried;
    const RouteDecision decision = Route(world.request, world.candidates, world.policy);
    for (const std::size_t i : decision.ranked) {
      RC_ASSERT(MayRun(world, i, resumption.from));
      RC_ASSERT(std::ranges::count(tried, world.candidates[i].member) == 0);
      RC_ASSERT(world.candidates[i].reach != Reach::kLost);
      RC_ASSERT(world.candidates[i].reach != Reach::kDraining);
    }
    if (decision.ranked.empty()) {
      RC_ASSERT(decision.refusal.has_value());
      // It is told apart whether policy stands against it or nobody is free.
      bool may_somewhere = false;
      for (std::size_t i = 0; i < world.candidates.size(); ++i) {
        World hoped = world;  // who has not been heard of may serve the model
        if (hoped.candidates[i].is_unheard && !hoped.candidates[i].serves_model) {
          hoped.candidates[i].serves_model = true;
          hoped.candidates[i].context_tokens = 0;
          hoped.candidates[i].certificate = CertificateState::kInForce;
        }
        may_somewhere |= MayRun(hoped, i, resumption.from);
      }
      RC_ASSERT((decision.refusal->kind == RefusalKind::kUnavailable) == may_somewhere);
      return;
    }
    const std::size_t chosen = decision.ranked[0];
    tried.push_back(world.candidates[chosen].member);
    // Half of the failures come when the client has tokens already.
    if (resumption.from == nullptr && *rc::gen::arbitrary<bool>()) {
      resumption.from = world.candidates[chosen].place;
      world.request.resumption = &resumption;
    }
    // Meanwhile others may fail or come back.
    for (RouteCandidate& candidate : world.candidates) {
      if (Rarely()) candidate.reach = static_cast<Reach>(*rc::gen::inRange(0, 6));
    }
  }
}

RC_GTEST_PROP(RoutingProperty, ACachedPrefixNeverMakesARequestWaitLonger, ()) {
  const Place place;
  std::vector<RouteCandidate> candidates;
  const std::int64_t prompt = *rc::gen::inRange(1, 5000);
  for (int i = 0; i < *rc::gen::inRange(1, 6); ++i) {
    candidates.push_back({.member = "m",
                          .place = &place,
                          .serves_model = true,
                          .cached_tokens = *rc::gen::inRange<std::int64_t>(0, prompt + 1),
                          .load = {.in_flight = *rc::gen::inRange(0, 50),
                                   .prefill_tokens = *rc::gen::inRange(0, 20'000),
                                   .prefill_tokens_s = *rc::gen::inRange(1, 20'000) * 1.0,
                                   .decode_tokens_s = *rc::gen::inRange(1, 5'000) * 1.0}});
  }
  const auto wait = [&](const RouteCandidate& candidate) {
    const Load& load = candidate.load;
    return static_cast<double>(load.prefill_tokens + prompt - candidate.cached_tokens) /
               load.prefill_tokens_s +
           static_cast<double>(load.in_flight + 1) * 100 / load.decode_tokens_s;
  };
  const RouteDecision decision =
      Route({.model = "m", .prompt_tokens = prompt, .max_tokens = 100}, candidates, {});
  for (const RouteCandidate& other : candidates) {
    RC_ASSERT(wait(candidates[decision.ranked[0]]) <= wait(other) * (1 + 1e-9));
  }
}

// Some of what is cached many ask for, which counts for less. On members of one pace the request
// waits no longer than where it would have gone if nobody remembered anything.
RC_GTEST_PROP(RoutingProperty, LocalityNeverMakesARequestWaitLongerThanNoLocality, ()) {
  const Place place;
  constexpr double kPrefill = 1000;
  std::vector<double> own{0};  // of the first so many tokens
  const std::int64_t prompt = *rc::gen::inRange(1, 200);
  for (std::int64_t token = 0; token < prompt; ++token) {
    own.push_back(own.back() + (*rc::gen::inRange(0, 2) == 0 ? 1.0 : 0.125));
  }
  std::vector<RouteCandidate> with;
  for (int i = 0; i < *rc::gen::inRange(1, 6); ++i) {
    const auto cached = *rc::gen::inRange<std::int64_t>(0, prompt + 1);
    const double shared = static_cast<double>(cached) - own[static_cast<std::size_t>(cached)];
    with.push_back({.member = "m",
                    .place = &place,
                    .serves_model = true,
                    .cached_tokens = cached,
                    .shared_tokens = static_cast<std::int64_t>(shared),
                    .load = {.in_flight = *rc::gen::inRange(0, 5),
                             .prefill_tokens = *rc::gen::inRange(0, 500),
                             .prefill_tokens_s = kPrefill,
                             .decode_tokens_s = 1000}});
  }
  std::vector<RouteCandidate> without = with;
  for (RouteCandidate& candidate : without) candidate.cached_tokens = candidate.shared_tokens = 0;
  const auto wait = [&](const RouteCandidate& candidate) {
    return static_cast<double>(candidate.load.prefill_tokens + prompt - candidate.cached_tokens) /
               kPrefill +
           static_cast<double>(candidate.load.in_flight + 1) * 100 / 1000;
  };
  const RouteRequest request{.model = "m", .prompt_tokens = prompt, .max_tokens = 100};
  const std::size_t chosen = Route(request, with, {}).ranked[0];
  const std::size_t else_chosen = Route(request, without, {}).ranked[0];
  RC_ASSERT(wait(with[chosen]) <= wait(with[else_chosen]) + 1.0 / kPrefill);  // whole tokens
}

// Ten thousand requests of random lengths on members of different speeds; each arrival sees what
// has been served and what is still running.
double ShareOf(std::string_view maker, double wanted, unsigned seed) {
  std::mt19937 random(seed);
  const Place x{.chip = "x1", .maker = "x"};
  const Place y{.chip = "y1", .maker = "y"};
  std::vector<RouteCandidate> candidates;
  const std::array<double, 4> speeds{4, 1, 2, 3};  // requests that end between two arrivals
  for (std::size_t i = 0; i < speeds.size(); ++i) {
    candidates.push_back({.member = kWords[i % 3],
                          .place = i < 2 ? &x : &y,
                          .serves_model = true,
                          .load = {.decode_tokens_s = 100 * speeds[i]}});
  }
  const RoutePolicy policy{
      .shares = {{.key = "maker", .value = std::string(maker), .share = wanted}}};
  std::array<double, 2> tokens{};
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t prompt = 10 + static_cast<std::int64_t>(random() % 2000);
    const std::int64_t answer = 1 + static_cast<std::int64_t>(random() % 500);
    const RouteDecision decision =
        Route({.model = "m", .prompt_tokens = prompt, .max_tokens = 500}, candidates, policy);
    RouteCandidate& chosen = candidates[decision.ranked[0]];
    ++chosen.load.in_flight;
    chosen.load.served_tokens += static_cast<double>(prompt + answer);
    tokens[chosen.place == &x ? 0 : 1] += static_cast<double>(prompt + answer);
    for (std::size_t m = 0; m < candidates.size(); ++m) {
      const auto ended = static_cast<std::int64_t>(random() % static_cast<unsigned>(speeds[m] + 1));
      candidates[m].load.in_flight =
          std::max<std::int64_t>(0, candidates[m].load.in_flight - ended);
    }
  }
  return tokens[maker == "x" ? 0 : 1] / (tokens[0] + tokens[1]);
}

TEST(RoutingShares, AreMetWithinTwoPointsOverTenThousandRequests) {
  for (const double wanted : {0.0, 0.3, 0.5, 0.7, 0.9, 1.0}) {
    for (unsigned seed = 1; seed <= 3; ++seed) {
      EXPECT_NEAR(ShareOf("x", wanted, seed), wanted, 0.02) << seed;
      EXPECT_NEAR(ShareOf("y", wanted, seed), wanted, 0.02) << seed;
    }
  }
}

RC_GTEST_PROP(RoutingProperty, WhatRunsFitsElsewhereWhicheverMakerGoes, ()) {
  std::vector<Place> places;
  for (int i = 0; i < 5; ++i) places.push_back({.maker = kWords[static_cast<std::size_t>(i) % 3]});
  std::vector<RouteCandidate> candidates;
  for (const Place& place : places) {
    candidates.push_back({.member = "m",
                          .place = &place,
                          .serves_model = true,
                          .capacity = *rc::gen::inRange(0, 20)});
  }
  const RoutePolicy policy{.survive = "maker"};
  for (int i = 0; i < 100; ++i) {
    const RouteDecision decision = Route({.model = "m"}, candidates, policy);
    if (decision.ranked.empty()) {
      RC_ASSERT(decision.refusal->kind == RefusalKind::kUnavailable);
      break;
    }
    ++candidates[decision.ranked[0]].load.in_flight;
  }
  for (const std::string& maker : kWords) {
    std::int64_t running = 0;
    std::int64_t others = 0;
    for (const RouteCandidate& candidate : candidates) {
      running += candidate.load.in_flight;
      others += candidate.place->maker == maker ? 0 : candidate.capacity;
    }
    RC_ASSERT(running <= others);
  }
}

}  // namespace
}  // namespace switchyard::policy
