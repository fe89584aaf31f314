#include "laminar/pipeline/targets.hpp"

#include <doctest/doctest.h>

#include "laminar/core/error.hpp"
#include "laminar/core/loss.hpp"
#include "laminar/tests/support/datasets.hpp"
#include "laminar/tests/support/tensors.hpp"

using namespace laminar;
using namespace laminar::testing;
using core::VertexId;
using pipeline::LossSet;
using pipeline::Targets;

namespace {

using Ids = std::vector<VertexId>;

Targets six() {
  Targets t;
  t.labels.task = core::Task::kClassification;
  t.labels.num_outputs = 3;
  t.labels.names = {"a", "b", "c"};
  t.labels.classes = {0, 1, 2, 0, 1, 2};
  t.train = {0, 3, 5};
  t.val = {1};
  t.test = {2, 4};
  return t;
}

}  // namespace

TEST_CASE("selected vertices are rows in the order they are asked for, and sets are of rows") {
  const Targets t = select(six(), Ids{5, 1, 0, 4});
  CHECK(t.labels.task == core::Task::kClassification);
  CHECK(t.labels.num_outputs == 3);
  CHECK(t.labels.names == std::vector<std::string>{"a", "b", "c"});
  CHECK(t.labels.classes == std::vector<std::int32_t>{2, 1, 0, 1});
  CHECK(t.train == Ids{0, 2});
  CHECK(t.val == Ids{1});
  CHECK(t.test == Ids{3});
}

TEST_CASE("all of it, none of it, and vertices of no set") {
  const Targets all = select(six(), Ids{0, 1, 2, 3, 4, 5});
  CHECK(all.labels.classes == six().labels.classes);
  CHECK(all.train == six().train);
  CHECK(all.test == six().test);
  const Targets none = select(six(), {});
  CHECK(none.labels.classes.empty());
  CHECK(none.train.empty());
  Targets some = six();
  some.train = {0};
  CHECK(select(some, Ids{3, 5}).train.empty());
}

TEST_CASE("rows of wide targets stay together") {
  Targets t = six();
  t.labels.task = core::Task::kMultiLabel;
  t.labels.num_outputs = 2;
  t.labels.classes.clear();
  t.labels.multi_label = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  CHECK(select(t, Ids{4, 1}).labels.multi_label == std::vector<std::uint8_t>{8, 9, 2, 3});
  t.labels.task = core::Task::kRegression;
  t.labels.multi_label.clear();
  t.labels.targets = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  CHECK(select(t, Ids{5, 0}).labels.targets == std::vector<float>{10, 11, 0, 1});
}

TEST_CASE("a split's vertices without a label are left out") {
  datasets::GraphData data = block_model({.vertices = 60});
  const Ids all = data.splits.front().train;
  data.labels.classes[static_cast<std::size_t>(all[1])] = -1;
  const auto dataset = datasets::from_memory(data);
  Ids expected = all;
  expected.erase(expected.begin() + 1);
  CHECK(pipeline::targets_of(*dataset, "random").train == expected);
  CHECK_THROWS_AS(pipeline::targets_of(*dataset, "none"), UsageError);
}

TEST_CASE("the shares of a loss add up to the whole, for every task") {
  for (const auto task : {core::Task::kClassification, core::Task::kMultiLabel, core::Task::kRegression}) {
    const auto data = block_model_dataset({.vertices = 60, .task = task});
    Targets all = pipeline::targets_of(*data, "random");
    if (task != core::Task::kRegression) pipeline::set_loss({.balanced = true, .label_smoothing = 0.1}, all);
    const core::Tensor outputs = random_tensor(60, 3, core::DType::kFloat64, 1);
    core::Tensor whole_gradient(60, 3, core::DType::kFloat64);
    const double whole = pipeline::task_loss(all, LossSet::kTrain, outputs, &whole_gradient);
    const double whole_validation = pipeline::task_loss(all, LossSet::kValidation, outputs, nullptr);
    CHECK(whole != whole_validation);
    double sum = 0;
    double validation = 0;
    for (const VertexId begin : {0, 20, 40}) {
      Ids ids;
      for (VertexId v = begin; v < begin + 20; ++v) ids.push_back(v);
      const Targets part = select(all, ids);
      core::Tensor gradient(20, 3, core::DType::kFloat64);
      const core::Tensor rows = outputs.slice_rows(begin, begin + 20);
      sum += pipeline::task_loss(part, LossSet::kTrain, rows, &gradient);
      validation += pipeline::task_loss(part, LossSet::kValidation, rows, nullptr);
      CHECK(same_bits(gradient, whole_gradient.slice_rows(begin, begin + 20).clone()));
    }
    CHECK(sum == doctest::Approx(whole).epsilon(1e-14));
    CHECK(validation == doctest::Approx(whole_validation).epsilon(1e-14));
  }
  CHECK_THROWS_AS(pipeline::task_loss({}, LossSet::kTrain, core::Tensor(1, 1, core::DType::kFloat64), nullptr), Error);
}

TEST_CASE("balanced weights are inverse to what stands in the training set") {
  Targets t = six();
  t.labels.task = core::Task::kClassification;
  t.labels.num_outputs = 3;
  t.labels.classes = {0, 0, 0, 1, 1, 2};
  t.train = {0, 1, 2, 3};
  t.val = {4};
  pipeline::set_loss({.balanced = true}, t);
  // 4 / (3 * 3), 4 / (3 * 1), and no vertex of class 2.
  CHECK(t.class_weights == std::vector<double>{4. / 9, 4. / 3, 1});
  CHECK(t.train_count == doctest::Approx(3 * 4. / 9 + 4. / 3));
  CHECK(t.val_count == doctest::Approx(4. / 3));

  pipeline::set_loss({.class_weights = {1, 2, 3}}, t);
  CHECK(t.train_count == 5);
  CHECK(select(t, Ids{3}).train_count == 5);
  CHECK_THROWS_WITH_AS(pipeline::set_loss({.class_weights = {1, 2}}, t),
                       "--class-weights has 2 numbers, but there are 3 classes", UsageError);

  t.labels.task = core::Task::kMultiLabel;
  t.labels.num_outputs = 2;
  t.labels.multi_label = {1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1};
  pipeline::set_loss({.balanced = true}, t);
  // 1 of 4, and none of 4.
  CHECK(t.class_weights == std::vector<double>{3, 1});
  CHECK(t.train_count == 4);

  t.labels.task = core::Task::kRegression;
  CHECK_THROWS_AS(pipeline::set_loss({.balanced = true}, t), UsageError);
  CHECK_THROWS_AS(pipeline::set_loss({.label_smoothing = 0.1}, t), UsageError);
  pipeline::set_loss({}, t);
}

TEST_CASE("weights of classes are read and shown") {
  const auto shown = [](const std::string& text) {
    pipeline::LossOptions o;
    pipeline::set_class_weights(text, o);
    pipeline::validate(o);
    return pipeline::class_weights_text(o);
  };
  CHECK(shown("none") == "none");
  CHECK(shown("balanced") == "balanced");
  CHECK(shown("1,2.50,1e-3") == "1,2.5,0.001");
  for (const char* bad : {"", "1,,2", "1,0", "-1", "nan", "inf", "1 2", "balance", "1,2x"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(shown(bad), UsageError);
  }
  CHECK_THROWS_AS(pipeline::validate(pipeline::LossOptions{.label_smoothing = 1}), UsageError);
  CHECK_THROWS_AS(pipeline::validate(pipeline::LossOptions{.class_weights = {0}}), UsageError);
}
