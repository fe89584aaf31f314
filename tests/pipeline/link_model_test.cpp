#include "laminar/pipeline/link_model.hpp"

#include <doctest/doctest.h>

using namespace laminar::pipeline;

namespace {

// 8 Mbit/s: a megabyte a second.
constexpr LinkOptions kLink = {.mbps = 8};
constexpr std::uint64_t kSecond = 1'000'000;

}  // namespace

TEST_CASE("a message takes its size over the rate, plus the latency") {
  LinkModel link(2, {.mbps = 8, .latency_us = 50});
  const auto m = link.add(0, 1, kSecond, 3.0);
  CHECK(link.arrival_s(*m, 3.0) == doctest::Approx(4.00005).epsilon(1e-12));
  CHECK(link.arrival_s(*m, 3.5) == doctest::Approx(4.00005).epsilon(1e-12));
  CHECK(link.arrival_s(*m, 9.0) == doctest::Approx(4.00005).epsilon(1e-12));
}

TEST_CASE("messages of a pair go one after the other") {
  LinkModel link(2, kLink);
  const auto a = link.add(0, 1, kSecond, 0);
  const auto b = link.add(0, 1, kSecond / 2, 0.25);
  CHECK(link.arrival_s(*b, 0.25) == doctest::Approx(1.5));
  CHECK(link.arrival_s(*a, 0.25) == doctest::Approx(1));
  const auto late = link.add(0, 1, kSecond, 10);
  CHECK(link.arrival_s(*late, 10) == doctest::Approx(11));
}

TEST_CASE("both directions of a port have the full rate") {
  LinkModel link(2, kLink);
  const auto there = link.add(0, 1, kSecond, 0);
  const auto back = link.add(1, 0, kSecond, 0);
  CHECK(link.arrival_s(*there, 0) == doctest::Approx(1));
  CHECK(link.arrival_s(*back, 0) == doctest::Approx(1));
}

TEST_CASE("pairs share the sender's port, and a short message does not wait for a long one to another device") {
  LinkModel link(3, kLink);
  const auto longer = link.add(0, 1, kSecond, 0);
  const auto shorter = link.add(0, 2, kSecond / 10, 0);
  CHECK(link.arrival_s(*shorter, 0) == doctest::Approx(0.2));
  CHECK(link.arrival_s(*longer, 0) == doctest::Approx(1.1));
  CHECK(link.arrival_s(*longer, 0.7) == doctest::Approx(1.1));
}

TEST_CASE("pairs share the receiver's port") {
  LinkModel link(3, kLink);
  const auto a = link.add(0, 2, kSecond, 0);
  const auto b = link.add(1, 2, kSecond, 0.5);
  CHECK(link.arrival_s(*a, 0.5) == doctest::Approx(1.5));
  CHECK(link.arrival_s(*b, 0.5) == doctest::Approx(2));
}

TEST_CASE("what comes later delays, and never hurries") {
  LinkModel link(3, kLink);
  const auto a = link.add(0, 1, kSecond, 0);
  const double alone = link.arrival_s(*a, 0);
  link.add(2, 1, kSecond, 0.5);
  const double shared = link.arrival_s(*a, 0.5);
  CHECK(alone == doctest::Approx(1));
  CHECK(shared == doctest::Approx(1.5));
}

TEST_CASE("an exchange of all with all takes what the ports take, in whatever order it is sent") {
  LinkModel link(4, kLink);
  std::vector<std::shared_ptr<const LinkModel::Transfer>> all;
  for (int from = 0; from < 4; ++from) {
    for (int to = 0; to < 4; ++to) {
      if (to != from) all.push_back(link.add(from, to, kSecond, 0));
    }
  }
  for (const auto& m : all) CHECK(link.arrival_s(*m, 0) == doctest::Approx(3));
}

TEST_CASE("without a rate there is only the latency") {
  LinkModel link(2, {.latency_us = 100});
  const auto m = link.add(0, 1, kSecond, 2);
  CHECK(link.arrival_s(*m, 2) == doctest::Approx(2.0001).epsilon(1e-12));
}

TEST_CASE("many messages: the bytes that have arrived never exceed the rate") {
  LinkModel link(2, kLink);
  std::vector<std::shared_ptr<const LinkModel::Transfer>> all;
  for (int i = 0; i < 200; ++i) all.push_back(link.add(0, 1, 777, 1e-5 * i));
  for (int i = 0; i < 200; ++i) CHECK(link.arrival_s(*all[i], 2e-3) == doctest::Approx((i + 1) * 777e-6));
}
