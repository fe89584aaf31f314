#include <atomic>
#include <chrono>
#include <latch>

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/pipeline/mailbox.hpp"
#include "laminar/tests/pipeline/devices.hpp"

using namespace laminar;
using namespace laminar::pipeline;
using testing::run_devices;

namespace {

Tag tag(std::int32_t chunk, Tag::Kind kind = Tag::Kind::kState) { return {.kind = kind, .chunk = chunk}; }

Bytes message(int value, std::size_t size = 1) { return Bytes(size, static_cast<std::byte>(value)); }

int value_of(const Bytes& bytes) { return std::to_integer<int>(bytes.at(0)); }

}  // namespace

TEST_CASE("messages of one tag come in order, tags in any order") {
  for (const core::Index size : {2, 3, 4}) {
    run_devices(size, [&](Transport& t) {
      CHECK(t.size() == size);
      for (core::Index to = 0; to < size; ++to) {
        if (to == t.rank()) continue;
        for (int n = 0; n < 20; ++n) {
          for (int chunk = 0; chunk < 3; ++chunk) {
            t.send(to, tag(chunk), message(static_cast<int>(t.rank()) * 60 + chunk * 20 + n));
          }
        }
      }
      for (core::Index from = size - 1; from >= 0; --from) {
        if (from == t.rank()) continue;
        for (int chunk = 2; chunk >= 0; --chunk) {
          for (int n = 0; n < 20; ++n) {
            CHECK(value_of(t.receive(from, tag(chunk))) == static_cast<int>(from) * 60 + chunk * 20 + n);
          }
        }
      }
    });
  }
}

TEST_CASE("a tag is all of its fields") {
  run_devices(2, [](Transport& t) {
    std::vector<Tag> tags = {{}};
    tags.push_back({.kind = Tag::Kind::kHalo});
    tags.push_back({.item = 1});
    tags.push_back({.chunk = 1});
    tags.push_back({.layer = 1});
    if (t.rank() == 0) {
      for (std::size_t i = 0; i < tags.size(); ++i) t.send(1, tags[i], message(static_cast<int>(i)));
    } else {
      for (std::size_t i = tags.size(); i-- > 0;) CHECK(value_of(t.receive(0, tags[i])) == static_cast<int>(i));
    }
  });
}

TEST_CASE("try_receive and wait_any see what has come") {
  const auto ends = make_local_transports(3);
  CHECK_FALSE(ends[0]->try_receive(1, tag(0)).has_value());
  ends[2]->send(0, tag(5), message(7));
  const std::vector<Address> wanted = {{1, tag(5)}, {2, tag(4)}, {2, tag(5)}};
  CHECK(ends[0]->wait_any(wanted) == 2);
  CHECK_FALSE(ends[0]->try_receive(1, tag(5)).has_value());
  ends[1]->send(0, tag(5), Bytes{});
  CHECK(ends[0]->wait_any(wanted) == 0);
  CHECK(ends[0]->receive(1, tag(5)).empty());
  CHECK(value_of(*ends[0]->try_receive(2, tag(5))) == 7);
  CHECK_FALSE(ends[0]->try_receive(2, tag(5)).has_value());
  CHECK_THROWS_WITH_AS(ends[0]->wait_any({}), doctest::Contains("no message"), Error);
}

TEST_CASE("a device that fails ends all others' waiting, with its reason") {
  std::atomic<int> told = 0;
  std::latch waiting(3);
  run_devices(4, [&](Transport& t) {
    if (t.rank() == 2) {
      waiting.wait();
      t.fail("the disk is full");
      t.fail("another reason");
      return;
    }
    waiting.count_down();
    CHECK_THROWS_WITH_AS(t.receive(t.rank() == 0 ? 1 : 0, tag(0)), "device 2 has failed: the disk is full", Error);
    CHECK_THROWS_WITH_AS(static_cast<void>(t.try_receive(2, tag(0))), doctest::Contains("device 2"), Error);
    CHECK_THROWS_WITH_AS(t.send(2, tag(0), message(0)), doctest::Contains("device 2"), Error);
    ++told;
  });
  CHECK(told == 3);
}

TEST_CASE("the first failure is the one that is told") {
  const auto ends = make_local_transports(2);
  ends[0]->fail("first");
  ends[1]->fail("second");
  CHECK_THROWS_WITH_AS(ends[1]->receive(0, tag(0)), "device 0 has failed: first", Error);
}

TEST_CASE("a sender waits when too many of its messages wait, and is woken") {
  Mailbox box(2, 3);
  std::atomic<int> sent = 0;
  {
    std::jthread sender([&] {
      for (int n = 0; n < 50; ++n) {
        box.deliver(1, tag(n % 2), message(n));
        // The receiver can't have taken more than it counts, so at most 3 more than that were let in.
        ++sent;
      }
    });
    for (int n = 0; n < 50; ++n) {
      CHECK(value_of(box.receive(1, tag(n % 2))) == n);
      CHECK(sent <= n + 1 + 3);
    }
  }
  CHECK(sent == 50);
  CHECK(box.waiting(1) == 0);
  for (int n = 0; n < 3; ++n) box.deliver(0, tag(0), message(n));
  CHECK(box.waiting(0) == 3);
  CHECK(box.waiting(1) == 0);
  std::jthread failing([&] { box.fail("over"); });
  CHECK_THROWS_WITH_AS(box.deliver(0, tag(0), message(0)), "over", Error);
  CHECK_THROWS_WITH_AS(box.check(), "over", Error);
}

TEST_CASE("wrong devices are refused") {
  CHECK_THROWS_WITH_AS(make_local_transports(0), doctest::Contains("0 devices"), Error);
  const auto ends = make_local_transports(2);
  CHECK_THROWS_WITH_AS(ends[0]->send(0, tag(0), {}), doctest::Contains("names device 0"), Error);
  CHECK_THROWS_WITH_AS(ends[0]->send(2, tag(0), {}), doctest::Contains("expected another one of 0 to 1"), Error);
  CHECK_THROWS_AS(ends[0]->receive(-1, tag(0)), Error);
  CHECK_THROWS_AS(static_cast<void>(ends[1]->try_receive(1, tag(0))), Error);
  CHECK(ends[1]->device_name(1) == "device 1");
}

TEST_CASE("an emulated link holds messages back for as long as it says") {
  // 8 Mbit/s: 1 ms a kilobyte; not less than that, however slow the machine is.
  using Clock = std::chrono::steady_clock;
  std::atomic<Clock::rep> start = 0;
  run_devices(2,
              [&](Transport& t) {
                if (t.rank() == 0) {
                  start = Clock::now().time_since_epoch().count();
                  t.send(1, tag(0), message(1, 10000 - kFramingBytes));
                  t.send(1, tag(1), message(2, 10000 - kFramingBytes));
                  t.receive(1, tag(2));
                } else {
                  CHECK(value_of(t.receive(0, tag(1))) == 2);
                  const auto passed = Clock::now() - Clock::time_point(Clock::duration(start));
                  CHECK(std::chrono::duration<double, std::milli>(passed).count() >= 22 - 1e-6);
                  CHECK(value_of(*t.try_receive(0, tag(0))) == 1);
                  t.send(0, tag(2), {});
                }
              },
              {.mbps = 8, .latency_us = 2000});
}

TEST_CASE("impossible links are refused") {
  CHECK_THROWS_WITH_AS(make_local_transports(2, {.mbps = -1}), doctest::Contains("--link-mbps"), UsageError);
  CHECK_THROWS_WITH_AS(make_local_transports(2, {.latency_us = -1}), doctest::Contains("--link-latency-us"),
                       UsageError);
}
