// The same bits for any number of ranks: threads of this process that hand each other messages, as
// MPI would do for processes.
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "check.hpp"
#include "problem.hpp"

namespace eigenmlp::test {
namespace {

// Messages between ranks, by sender and receiver.
class Post {
public:
  Swap swap_of(int own) {
    return [this, own](int rank, const void* out, std::size_t out_bytes, void* in,
                       std::size_t in_bytes) {
      const char* from = static_cast<const char*>(out);
      if (out_bytes > 0) send(own, rank, std::vector<char>(from, from + out_bytes));
      if (in_bytes == 0) return true;
      const std::vector<char> message = receive(rank, own);
      check(message.size() == in_bytes, "messages have the length that is expected");
      std::memcpy(in, message.data(), in_bytes);
      return true;
    };
  }

private:
  using Way = std::pair<int, int>;

  void send(int from, int to, std::vector<char> message) {
    const std::lock_guard lock(mutex_);
    waiting_[Way(from, to)].push_back(std::move(message));
    came_.notify_all();
  }
  std::vector<char> receive(int from, int to) {
    std::unique_lock lock(mutex_);
    auto& queue = waiting_[Way(from, to)];
    came_.wait(lock, [&] { return !queue.empty(); });
    std::vector<char> message = std::move(queue.front());
    queue.pop_front();
    return message;
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::map<Way, std::deque<std::vector<char>>> waiting_;
};

template <class T>
std::vector<double> trained(const Shape& shape, const Settings& settings, const Ranks& ranks) {
  Problem<T> problem(shape);
  Trainer<T> trainer(problem.net, "sgd", {0.9, 0, 1e-3}, settings);
  if (ranks) trainer.set_ranks(ranks);
  const std::vector<double> lr{0.05};
  std::vector<EpochResult> results(3);
  std::vector<std::int64_t> orders;
  const auto run = trainer.run(problem.data(), problem.epochs(3, lr, orders), results, {});
  check(run.outcome == Outcome::finished, "the run finishes");
  std::vector<T> parameters(static_cast<std::size_t>(problem.net.parameter_count()));
  problem.net.get_parameters(parameters.data());
  std::vector<double> all(parameters.begin(), parameters.end());
  for (const auto& epoch : results)
    all.insert(all.end(), {epoch.loss, static_cast<double>(epoch.correct)});
  return all;
}

template <class T>
void test_bits(const Shape& shape, const Settings& settings) {
  const auto expected = trained<T>(shape, settings, {});
  for (const int size : {2, 3, 8}) {
    Post post;
    std::vector<std::vector<double>> found(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (int i = 0; i < size; ++i)
      threads.emplace_back([&, i] {
        found[static_cast<std::size_t>(i)] =
            trained<T>(shape, settings, {i, size, false, post.swap_of(i)});
      });
    for (auto& thread : threads) thread.join();
    for (const auto& one : found) check(one == expected, "the same bits for any number of ranks");
  }
}

// Sums in the tree, of any length and by either way.
template <class T>
void test_sums(int size, Index n, bool own_rows) {
  const Index room = ceil_div(n, Index{64}) * 64;
  Post post;
  std::vector<std::vector<T>> found(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int i = 0; i < size; ++i)
    threads.emplace_back([&, i] {
      const Ranks ranks{i, size, own_rows, post.swap_of(i)};
      Buffer<T> numbers(2 * room);
      for (Index j = 0; j < n; ++j) numbers.data()[j] = static_cast<T>((i + 1) * (j % 7 + 1));
      check(sum_over_ranks(ranks, ranks.sharing(size), numbers.data(), numbers.data() + room, n),
            "nobody ends the run");
      found[static_cast<std::size_t>(i)].assign(numbers.data(), numbers.data() + n);
    });
  for (auto& thread : threads) thread.join();
  const int adding = own_rows ? size : Ranks{0, size, false, {}}.sharing(size);
  for (const auto& one : found)
    for (Index j = 0; j < n; ++j)
      check(one[static_cast<std::size_t>(j)] ==
                static_cast<T>(adding * (adding + 1) / 2) * static_cast<T>(j % 7 + 1),
            "the sum over all ranks that add");
}

// A rank that cannot go on ends the run between two steps.
void test_end() {
  const Shape shape{{16, 20, 4}, {"relu", "identity"}, "softmax_cross_entropy", 256, 128};
  Problem<float> problem(shape);
  Trainer<float> trainer(problem.net, "sgd", {0.9, 0, 0});
  trainer.set_ranks({0, 2, false, [](auto...) { return false; }});
  std::vector<float> before(static_cast<std::size_t>(problem.net.parameter_count())), after(before);
  problem.net.get_parameters(before.data());
  const std::vector<double> lr{0.05};
  std::vector<EpochResult> results(1);
  std::vector<std::int64_t> orders;
  const auto run = trainer.run(problem.data(), problem.epochs(1, lr, orders), results, {});
  problem.net.get_parameters(after.data());
  check(run.outcome == Outcome::interrupted && run.steps == 0,
        "no step is done without the others");
  check(before == after, "and nothing has changed");
}

} // namespace
} // namespace eigenmlp::test

int main() {
  using namespace eigenmlp;
  using namespace eigenmlp::test;
  set_max_threads(1);
  const std::vector<std::string> two{"relu", "identity"};
  const Shape blocks{{30, 50, 10}, two, "softmax_cross_entropy", 700, 256};
  const Shape wide{{600, 560, 3}, two, "softmax_cross_entropy", 560, 270};
  const Shape values{{37, 70, 5}, {"tanh", "identity"}, "squared_error", 450, 97, false};
  const Shape rounds{{30, 50, 10}, two, "softmax_cross_entropy", 300, 128, true, true};
  Settings limits{{.clip_norm = 0.5, .l1 = 1e-4, .max_norm = 2}, 2, {0.2}, 5};
  for (const Shape& shape : {blocks, wide, values, rounds}) {
    test_bits<float>(shape, {});
    if (!shape.rounds) test_bits<double>(shape, limits);
  }
  for (const int size : {2, 3, 4, 7, 8})
    for (const Index n : {Index{1}, Index{100}, Index{20'001}})
      for (const bool own_rows : {false, true}) test_sums<double>(size, n, own_rows);
  test_end();
}
