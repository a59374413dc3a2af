// What a variant of the core offers to the bindings. It is a shared object of its own, compiled for
// one instruction set and with a C++ library inside that nobody else sees, so that only plain data,
// function pointers and virtual functions cross: no container, and no exception. What a variant
// makes, it destroys; memory that it writes to is the caller's.
//
// Nothing here computes, and nothing includes Eigen: the bindings are compiled for any processor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "eigenmlp/kernel/bfloat16_products.hpp"
#include "eigenmlp/step/data.hpp"
#include "eigenmlp/step/run.hpp"

namespace eigenmlp::variants {

// To be raised with every change here: bindings refuse a variant of another number.
inline constexpr int interface_version = 3;

// How a call ended. refused: a number of the data was not finite, or a label no class. stopped: the
// caller's question was answered so; what it leaves is of no use. failed: see Failure.
enum class Ended { well, refused, stopped, failed };

// Why this thread's last call failed; the text stays until its next one fails.
enum class Error { memory, value, index, overflow, other };
struct Failure {
  Error error;
  const char* text;
};

// Asked every 10 ms by the thread that called, while it computes; null: never. Must not throw.
struct Question {
  bool (*ask)(void* of) = nullptr; // whether to stop
  void* of = nullptr;
};

// step/ranks.hpp's Swap. Must not throw.
struct SwapCall {
  bool (*swap)(void* of, int rank, const void* out, std::size_t out_bytes, void* in,
               std::size_t in_bytes);
  void* of;
};

struct Numbers {
  const double* data;
  std::size_t size;
};

struct NetworkDescription {
  const Index* sizes; // one more than there are activations
  const char* const* activations;
  std::size_t layers;
  const char* loss;
  bool bias;
  double input_scale;
  bool rounds;
};

struct TrainerDescription {
  const char* rule;
  const char* const* hyper_names;
  Numbers hyper; // in the order of these names
  Limits limits;
  Index accumulate;
  Numbers dropout;
  std::uint64_t dropout_key;
};

// A network whose lock is taken, shared or alone, by each call that needs it.
template <class T>
class Network {
public:
  Index inputs = 0, outputs = 0, parameter_count = 0;
  bool takes_labels = false, classifies = false; // its loss

  virtual void destroy() noexcept = 0;
  virtual Ended get_parameters(T* flat) noexcept = 0;
  virtual Ended set_parameters(const T* flat) noexcept = 0;
  // The same without waiting for the lock; they say whether they got it.
  virtual bool try_get_parameters(T* flat) noexcept = 0;
  virtual bool try_set_parameters(const T* flat) noexcept = 0;
  virtual Ended set_units(Numbers input_shift, Numbers input_scale, Numbers output_shift,
                          Numbers output_scale) noexcept = 0;

  // passes/inference.hpp
  virtual Index rows_at_once() const noexcept = 0;
  virtual Ended predict(const Rows& X, T* out, bool all_or_nothing, Question stop) noexcept = 0;
  virtual Ended evaluate(const Data& data, Question stop, double* loss,
                         std::int64_t* correct) noexcept = 0;
  virtual Index evaluation_chunks(const Rows& X) const noexcept = 0;
  virtual Ended evaluate_part(const Data& data, Index part, Index parts, Question stop,
                              double* losses, std::int64_t* correct) noexcept = 0;

  // passes/gradient.hpp
  virtual Ended loss_and_gradient(const Data& data, Question stop, double* loss,
                                  T* flat) noexcept = 0;
  virtual Ended vjp(const Rows& X, const Rows& dY, Question stop, T* flat, T* dX) noexcept = 0;

  // derivatives
  virtual Ended jvp(const Rows& X, const Rows& dX, const T* d_parameters, Question stop, T* Y,
                    T* dY) noexcept = 0;
  virtual Ended input_gradient(const Data& data, Index output, Question stop, T* dX) noexcept = 0;
  virtual Ended per_sample_gradients(const Data& data, Question stop, T* gradients) noexcept = 0;
  virtual Ended hessian_vector_product(const Data& data, const T* v, Question stop,
                                       T* product) noexcept = 0;
  virtual Ended hessian(const Data& data, Question stop, T* H) noexcept = 0;
  // Fails if it has no series, and says why.
  virtual Ended has_series(bool with_loss) noexcept = 0;
  virtual Ended taylor(const Data& data, const T* direction, Index order, Question stop,
                       double* coefficients) noexcept = 0;
  virtual Ended taylor_outputs(const Rows& X, const Rows& dX, const T* direction, Index order,
                               Question stop, T* outputs) noexcept = 0;

protected:
  ~Network() = default;
};

// Destroyed before its network.
template <class T>
class Trainer {
public:
  const char* const* state_names = nullptr; // of the optimizer
  std::size_t states = 0;

  virtual void destroy() noexcept = 0;
  // Between two stretches of a run; `try_` does not wait for the network's lock, and says whether
  // it got it.
  virtual bool try_progress(Progress* to) noexcept = 0;
  virtual Ended progress(Progress* to) noexcept = 0;
  virtual Ended set_progress(const Progress& progress, const T* gathered) noexcept = 0;
  // Both leave `flat` as it is where the optimizer keeps nothing.
  virtual Ended get_gathered(T* flat) noexcept = 0;
  virtual Ended get_state(std::size_t state, T* flat) noexcept = 0;
  virtual Ended set_state(std::size_t state, const T* flat) noexcept = 0;
  virtual Ended set_ranks(int index, int size, bool own_rows, SwapCall swap) noexcept = 0;

  virtual Ended step(const Data& data, double lr, const OwnRows* own, Outcome* outcome,
                     double* loss) noexcept = 0;
  virtual Ended run(const Data& data, const Epochs& epochs, EpochResult* results, Question stop,
                    RunResult* done) noexcept = 0;
  // False if the update made a parameter infinite.
  virtual Ended flush(double lr, bool* finite) noexcept = 0;
  virtual Ended apply(const T* gradient, double lr, bool* finite) noexcept = 0;

protected:
  ~Trainer() = default;
};

// One of several runs at once, and what came of it.
template <class T>
struct SideBySideRun {
  Trainer<T>* trainer;
  Epochs epochs;
  EpochResult* results;
  RunResult* done;
};

// segments.hpp: scores (R, M) in S segments, and the chosen place of each.
struct SegmentedScores {
  const std::int64_t* offsets; // (S + 1,)
  Index S, R, M;
};
struct ChosenPlaces {
  const std::int64_t* chosen; // (S,) or (R, S)
  Index row_stride;           // 0 or S
  const double* weights;      // (S,) or null
  bool mean;                  // else the sum
};

// What depends on the scalar type.
template <class T>
struct Functions {
  const char* const* activations; // names, null behind the last
  const char* const* losses;
  const char* const* optimizers;
  const char* eigen_version;
  // kernel/operands.hpp. What is allowed, and asked, before there are networks; false of double.
  void (*use_products)(Bfloat16Products allowed) noexcept;
  bool (*multiplies_bfloat16)() noexcept;

  Ended (*make_network)(const NetworkDescription& description, Network<T>** made) noexcept;
  Ended (*make_trainer)(Network<T>& network, const TrainerDescription& description,
                        Trainer<T>** made) noexcept;
  // step/side_by_side.hpp: how many to take at once, and `count` trainers' runs so. Nothing is
  // done, and `done_so` is false, where they cannot be run so or it does not pay.
  Index (*at_once)(Index parameters, Index rows, Index count, Index threads) noexcept;
  Ended (*run_side_by_side)(const SideBySideRun<T>* runs, std::size_t count, const Data& data,
                            Question stop, bool* done_so) noexcept;
  // refused: offsets do not cover the scores, or a choice is not in its segment, too.
  Ended (*segment_softmax)(const SegmentedScores& a, const T* z, T* p) noexcept;
  Ended (*segment_softmax_vjp)(const SegmentedScores& a, const T* p, const T* dp, T* dz) noexcept;
  Ended (*segment_cross_entropy)(const SegmentedScores& a, const ChosenPlaces& places, const T* z,
                                 T* dz, double* loss) noexcept;
};

// The table of a variant.
struct Variant {
  const char *level, *build_flags, *compiler;
  Failure (*failure)() noexcept;

  int (*max_threads)() noexcept;
  void (*set_max_threads)(int n) noexcept;
  int (*limit_threads)(int n) noexcept;
  void (*force_threads)(int n) noexcept;
  int (*last_decision)(const char** why) noexcept; // how many threads
  void (*helper)(bool at_work) noexcept;           // threads/work.hpp: begins, or ends
  void (*owners_may_be_gone)() noexcept;           // threads/lock.hpp

  Functions<float> float32;
  Functions<double> float64;
};

// The one function that a variant exports: its table, or null for an interface that it does not
// have.
using VariantFunction = const Variant*(int version);
inline constexpr const char* variant_function = "eigenmlp_variant";

} // namespace eigenmlp::variants
