// Runs over epochs, of one trainer or of several side by side, and what they return.
#pragma once

#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "gil.hpp"
#include "ranks.hpp"

namespace eigenmlp::bindings {

// What a run did, in arrays; the same attributes as the twin's.
struct PyRunResult {
  Array<double> losses, seconds;
  Array<double> batch_losses, penalties; // of all batches, one epoch after the other
  Array<std::int64_t> correct;
  Index epochs = 0, steps = 0, diverged_step = -1;
  bool interrupted = false, refused = false;
  double diverged_loss = 0;
  py::object error = py::none(); // what a signal's handler raised
};

// A run as the core takes it, and room for what it gives: nothing may run out of memory when steps
// were done.
class PyRun {
public:
  // `orders` (E, N) or (E, 0).
  PyRun(Index rows, Index batch_size, const Array<std::int64_t>& orders,
        const Array<double>& learning_rates, Index accumulate, Index own_batches = 0) {
    if (orders.ndim() != 2 || batch_size < 1)
      throw py::value_error("orders must be (E, N) or (E, 0)");
    epochs.count = orders.shape(0);
    epochs.batch_size = batch_size;
    if (orders.shape(1) != 0) {
      if (orders.shape(1) != rows) throw py::value_error("orders must be (E, N) or (E, 0)");
      epochs.order = orders.data();
      for (Index i = 0; i < orders.size(); ++i)
        if (orders.data()[i] < 0 || orders.data()[i] >= rows)
          throw py::index_error("orders point outside the rows");
    }
    if (own_batches < 0) throw py::value_error("own_batches must not be negative");
    epochs.batches = own_batches;
    batches_ = epochs.batches_of(rows) * epochs.count;
    const Index steps = ceil_div(epochs.batches_of(rows), accumulate) * epochs.count;
    if (learning_rates.size() != 1 && learning_rates.size() != steps)
      throw py::value_error("expected 1 learning rate or " + std::to_string(steps));
    epochs.learning_rates = {learning_rates.data(),
                             static_cast<std::size_t>(learning_rates.size())};
    epochs_done.resize(static_cast<std::size_t>(epochs.count));
    result_.batch_losses = filled(batches_, 0.0);
    result_.penalties = filled(batches_, 0.0);
    epochs.losses = result_.batch_losses.mutable_data();
    epochs.penalties = result_.penalties.mutable_data();
    result_.losses = filled(epochs.count, std::nan(""));
    result_.seconds = filled(epochs.count, 0.0);
    result_.correct = filled(epochs.count, std::int64_t{-1});
  }
  PyRun(PyRun&&) = default;

  // Where ranks have rows of their own.
  void set_own(const std::optional<Array<double>>& divisors,
               const std::optional<Array<std::int64_t>>& rows_before,
               const std::optional<Array<std::int64_t>>& rows_of_all) {
    own_ = own_rows(divisors, rows_before, rows_of_all, batches_);
    epochs.own = own_;
  }

  // With what a signal's handler, or `check`, raised.
  PyRunResult result(bool classifies, const py::object& error) {
    for (Index e = 0; e < done.epochs; ++e) {
      const EpochResult& epoch = epochs_done[static_cast<std::size_t>(e)];
      result_.losses.mutable_at(e) = epoch.loss;
      result_.seconds.mutable_at(e) = epoch.seconds;
      result_.correct.mutable_at(e) = classifies ? epoch.correct : -1;
    }
    result_.epochs = done.epochs;
    result_.steps = done.steps;
    if (done.outcome == Outcome::diverged) result_.diverged_step = done.steps;
    result_.interrupted = done.outcome == Outcome::interrupted;
    result_.refused = done.outcome == Outcome::refused;
    result_.diverged_loss = done.loss;
    result_.error = error;
    return std::move(result_);
  }

  Epochs epochs;
  std::vector<EpochResult> epochs_done;
  RunResult done;

private:
  template <class V>
  static Array<V> filled(Index size, V value) {
    Array<V> array(size);
    std::fill_n(array.mutable_data(), size, value);
    return array;
  }

  std::vector<OwnRows> own_;
  Index batches_ = 0; // of all epochs
  PyRunResult result_;
};

// call(question) without Python's lock: the question asks for signals and calls `check`, and what
// they raise is returned, or None.
template <class Call>
py::object asking(const py::object& check, Call&& call) {
  const bool main = in_main_thread();
  py::object raised = py::none();
  PySwap::During during;
  {
    WithoutGil without_gil;
    during.take_from(without_gil);
    const auto asked = [&] {
      try {
        if (main && PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (!check.is_none()) check();
      } catch (const py::error_already_set& error) {
        raised = error.value();
        return false;
      }
      return true;
    };
    const auto stop = [&] { return !without_gil.with_gil(asked); };
    const bool asks = main || !check.is_none();
    call(asks ? question_of(stop) : variants::Question{});
  }
  if (py::object error = during.taken_error(); !error.is_none()) raised = std::move(error);
  return raised;
}

// One of several runs at once.
template <class T>
struct Participant {
  const variants::Network<T>* net;
  variants::Trainer<T>* trainer;
};

// All of them on the same data; nothing if they cannot be run so, and then nothing is changed.
template <class T>
std::optional<std::vector<PyRunResult>>
run_side_by_side(const std::vector<Participant<T>>& each, py::handle X, py::handle y,
                 py::handle weights, Index batch_size,
                 const std::vector<Array<std::int64_t>>& orders,
                 const Array<double>& learning_rates, const py::object& check) {
  if (each.empty() || orders.size() != each.size())
    throw py::value_error("expected trainers, and orders for each");
  std::set<const void*> nets;
  for (const Participant<T>& one : each)
    if (!nets.insert(one.net).second) throw py::value_error("expected different networks");
  const Data data = checked(data_of(*each.front().net, X, y, weights), "X, y or sample_weight");
  std::vector<PyRun> runs;
  for (const auto& order : orders)
    runs.emplace_back(data.X.rows, batch_size, order, learning_rates, 1);
  std::vector<variants::SideBySideRun<T>> given;
  for (std::size_t i = 0; i < each.size(); ++i)
    given.push_back({each[i].trainer, runs[i].epochs, runs[i].epochs_done.data(), &runs[i].done});
  bool done_so = false;
  const py::object error = asking(check, [&](variants::Question stop) {
    ended_well(functions<T>().run_side_by_side(given.data(), given.size(), data, stop, &done_so));
  });
  std::vector<PyRunResult> results;
  if (!done_so) {
    if (!error.is_none()) raise(error);
    return std::nullopt;
  }
  for (std::size_t i = 0; i < runs.size(); ++i)
    results.push_back(runs[i].result(each[i].net->classifies, error));
  return results;
}

} // namespace eigenmlp::bindings
