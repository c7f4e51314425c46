// A workload on oneDNN's RNN primitives (API of version 3). Weights are reordered once
// to the format the primitive asks for; a training step, which changes them, reorders
// them each time.
#pragma once
#include <omp.h>
#include <oneapi/dnnl/dnnl.hpp>

#include <cmath>
#include <cstring>
#include <memory>
#include <unordered_map>

#include "case.h"

namespace onednn {
using dnnl::memory;
using dnnl::rnn_direction;
using tag = memory::format_tag;
using Args = std::unordered_map<int, memory>;

constexpr auto f32 = memory::data_type::f32;
constexpr float sgd_rate = 1e-3f;
inline dnnl::engine eng;
inline dnnl::stream strm;

inline void init(int threads) {
  omp_set_num_threads(threads);
  eng = dnnl::engine(dnnl::engine::kind::cpu, 0);
  strm = dnnl::stream(eng);
}

inline std::string version() {
  const dnnl_version_t *v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

inline float *data(const memory &m) { return static_cast<float *>(m.get_data_handle()); }

inline memory mem(const memory::desc &md) {
  memory m(md, eng);
  memset(m.get_data_handle(), 0, md.get_size());
  return m;
}
inline memory mem(memory::dims d, tag t, const std::vector<float> &v) {
  memory m = mem(memory::desc(d, f32, t));
  memcpy(m.get_data_handle(), v.data(), v.size() * 4);
  return m;
}
inline memory as(const memory &m, const memory::desc &md) {
  if (m.get_desc() == md) return m;
  memory o(md, eng);
  dnnl::reorder(m, o).execute(strm, const_cast<memory &>(m), o);
  strm.wait();
  return o;
}

// Weights and biases of nl layers from l on, in plain order: ldigo and ldgo.
struct Weights {
  memory layer, iter, bias;
};

inline Weights weights(Case &c, int l, int nl) {
  const bool gru = c.kind == "gru";
  const int G = c.gates(), GB = gru ? 4 : G, H = c.H, D = c.D, in = c.in(l);
  const int torch_gate[3] = {1, 0, 2};  // oneDNN's u, r, o among torch's r, z, n
  std::vector<float> wl((size_t)nl * D * in * G * H), wi((size_t)nl * D * H * G * H), bb((size_t)nl * D * GB * H);
  for (int k = 0; k < nl; k++)
    for (int d = 0; d < D; d++) {
      const auto &a = c.w("w_ih", l + k, d), &b = c.w("w_hh", l + k, d), &bi = c.w("b_ih", l + k, d), &bh = c.w("b_hh", l + k, d);
      const size_t base = (size_t)k * D + d;
      for (int q = 0; q < G; q++)
        for (int h = 0; h < H; h++) {
          const size_t row = (size_t)(gru ? torch_gate[q] : q) * H + h;
          for (int i = 0; i < in; i++) wl[((base * in + i) * G + q) * H + h] = a[row * in + i];
          for (int i = 0; i < H; i++) wi[((base * H + i) * G + q) * H + h] = b[row * H + i];
          float *o = &bb[(base * GB + q) * H + h];
          if (gru && q == 2) o[0] = bi[row], o[H] = bh[row];
          else *o = bi[row] + bh[row];
        }
    }
  return {mem({nl, D, in, G, H}, tag::ldigo, wl), mem({nl, D, H, G, H}, tag::ldigo, wi), mem({nl, D, GB, H}, tag::ldgo, bb)};
}

// The descriptions of a primitive over nl layers from l on.
struct Descs {
  memory::desc src, dst, state, wl, wi, bias;
  rnn_direction dir;
  Descs(Case &c, int l, int nl, const memory &b)
      : src({c.T, c.B, c.in(l)}, f32, tag::tnc),
        dst({c.T, c.B, c.H * c.D}, f32, tag::tnc),
        state({nl, c.D, c.B, c.H}, f32, tag::ldnc),
        wl({nl, c.D, c.in(l), c.gates(), c.H}, f32, tag::any),
        wi({nl, c.D, c.H, c.gates(), c.H}, f32, tag::any),
        bias(b.get_desc()),
        dir(c.D == 2 ? rnn_direction::bidirectional_concat : rnn_direction::unidirectional_left2right) {}
};

// What is asked of the three kinds of primitive alike.
struct Made {
  dnnl::primitive prim;
  memory::desc wl, wi, workspace;
};
template <class P, class PD>
Made made(const PD &pd, dnnl::prop_kind kind) {
  const bool train = kind == dnnl::prop_kind::forward_training;
  return {P(pd), pd.weights_layer_desc(), pd.weights_iter_desc(), train ? pd.workspace_desc() : memory::desc()};
}

inline dnnl::lstm_forward::primitive_desc lstm(const Descs &d, dnnl::prop_kind kind) {
  return {eng, kind, d.dir, d.src, d.state, d.state, d.wl, d.wi, d.bias, d.dst, d.state, d.state};
}
inline dnnl::lbr_gru_forward::primitive_desc gru(const Descs &d, dnnl::prop_kind kind) {
  return {eng, kind, d.dir, d.src, d.state, d.wl, d.wi, d.bias, d.dst, d.state};
}
inline dnnl::vanilla_rnn_forward::primitive_desc rnn(const Descs &d, dnnl::prop_kind kind) {
  return {eng, kind, dnnl::algorithm::eltwise_tanh, d.dir, d.src, d.state, d.wl, d.wi, d.bias, d.dst, d.state};
}

// Layers forward: those of equal width and one direction are one primitive.
class Forward {
  struct Group {
    dnnl::primitive prim;
    Args args[2];
    memory dst;
  };
  std::vector<Group> groups;
  long calls = 0;
  int carry;

  std::vector<float> part(Case &c, const char *n, int l, int nl) {
    const auto &v = c.t[n];
    const size_t s = (size_t)c.D * c.B * c.H;
    return std::vector<float>(v.begin() + l * s, v.begin() + (l + nl) * s);
  }

 public:
  explicit Forward(Case &c) : carry(c.carry) {
    const auto inf = dnnl::prop_kind::forward_inference;
    for (int l = 0, nl; l < c.L; l += nl) {
      nl = c.in(l) == c.H && c.D == 1 ? c.L - l : 1;
      Weights w = weights(c, l, nl);
      Descs d(c, l, nl, w.bias);
      Made m = c.kind == "lstm"  ? made<dnnl::lstm_forward>(lstm(d, inf), inf)
               : c.kind == "gru" ? made<dnnl::lbr_gru_forward>(gru(d, inf), inf)
                                 : made<dnnl::vanilla_rnn_forward>(rnn(d, inf), inf);
      Group g{m.prim, {}, mem(d.dst)};
      memory src = l == 0 ? mem({c.T, c.B, c.I}, tag::tnc, c.t["x"]) : groups.back().dst;
      memory h[2] = {mem({nl, c.D, c.B, c.H}, tag::ldnc, part(c, "h0", l, nl)), mem(d.state)}, cell[2];
      if (c.kind == "lstm") cell[0] = mem({nl, c.D, c.B, c.H}, tag::ldnc, part(c, "c0", l, nl)), cell[1] = mem(d.state);
      memory wl = as(w.layer, m.wl), wi = as(w.iter, m.wi);
      for (int p = 0; p < 2; p++) {  // two sets, so that a carried state goes back in without a copy
        Args a = {{DNNL_ARG_SRC_LAYER, src}, {DNNL_ARG_WEIGHTS_LAYER, wl}, {DNNL_ARG_WEIGHTS_ITER, wi}, {DNNL_ARG_BIAS, w.bias},
                  {DNNL_ARG_DST_LAYER, g.dst}, {DNNL_ARG_SRC_ITER, h[p]}, {DNNL_ARG_DST_ITER, h[1 - p]}};
        if (c.kind == "lstm") a[DNNL_ARG_SRC_ITER_C] = cell[p], a[DNNL_ARG_DST_ITER_C] = cell[1 - p];
        g.args[p] = a;
      }
      groups.push_back(std::move(g));
    }
  }
  void call() {
    const int p = carry ? calls++ & 1 : 0;
    for (auto &g : groups) g.prim.execute(strm, g.args[p]);
    strm.wait();
  }
  const float *output() { return data(groups.back().dst); }
};

// One training step of a stack of equal-width LSTM layers: forward, gradients of
// weights and input, SGD. Weights are kept plain and reordered every step.
class Trainer {
  using Pair = std::pair<memory, memory>;
  struct Reorder {
    dnnl::reorder r;
    memory from, to;
  };
  Args fwd, bwd;
  dnnl::primitive forward, backward;
  std::vector<Reorder> before, between, after;
  std::vector<Pair> update;    // weight, gradient
  std::vector<memory> zeroed;  // oneDNN adds to gradients, so they start from zero
  memory dx;

  static memory via(std::vector<Reorder> &v, const memory &m, const memory::desc &want) {
    if (m.get_desc() == want) return m;
    memory o = mem(want);
    v.push_back({dnnl::reorder(m, o), m, o});
    return o;
  }
  static void run(std::vector<Reorder> &v) {
    for (auto &r : v) r.r.execute(strm, r.from, r.to);
  }

 public:
  explicit Trainer(Case &c) {
    Weights w = weights(c, 0, c.L);
    Descs d(c, 0, c.L, w.bias);
    auto fp = lstm(d, dnnl::prop_kind::forward_training);
    dnnl::lstm_backward::primitive_desc bp(eng, dnnl::prop_kind::backward, d.dir, d.src, d.state, d.state, d.wl, d.wi, d.bias, d.dst,
                                           d.state, d.state, d.src, d.state, d.state, d.wl, d.wi, d.bias, d.dst, d.state, d.state, fp);
    forward = dnnl::lstm_forward(fp), backward = dnnl::lstm_backward(bp);
    const memory::dims st = {c.L, 1, c.B, c.H};
    fwd = {{DNNL_ARG_SRC_LAYER, mem({c.T, c.B, c.I}, tag::tnc, c.t["x"])},
           {DNNL_ARG_SRC_ITER, mem(st, tag::ldnc, c.t["h0"])}, {DNNL_ARG_SRC_ITER_C, mem(st, tag::ldnc, c.t["c0"])},
           {DNNL_ARG_WEIGHTS_LAYER, via(before, w.layer, fp.weights_layer_desc())},
           {DNNL_ARG_WEIGHTS_ITER, via(before, w.iter, fp.weights_iter_desc())}, {DNNL_ARG_BIAS, w.bias},
           {DNNL_ARG_DST_LAYER, mem(d.dst)}, {DNNL_ARG_DST_ITER, mem(d.state)}, {DNNL_ARG_DST_ITER_C, mem(d.state)},
           {DNNL_ARG_WORKSPACE, mem(fp.workspace_desc())}};
    dx = mem(d.src);
    memory gl = mem(bp.diff_weights_layer_desc()), gi = mem(bp.diff_weights_iter_desc()), gb = mem(d.bias);
    memory dh = mem(d.state), dc = mem(d.state);
    bwd = fwd;
    bwd[DNNL_ARG_WEIGHTS_LAYER] = via(between, w.layer, bp.weights_layer_desc());
    bwd[DNNL_ARG_WEIGHTS_ITER] = via(between, w.iter, bp.weights_iter_desc());
    bwd[DNNL_ARG_DIFF_SRC_LAYER] = dx, bwd[DNNL_ARG_DIFF_SRC_ITER] = dh, bwd[DNNL_ARG_DIFF_SRC_ITER_C] = dc;
    bwd[DNNL_ARG_DIFF_WEIGHTS_LAYER] = gl, bwd[DNNL_ARG_DIFF_WEIGHTS_ITER] = gi, bwd[DNNL_ARG_DIFF_BIAS] = gb;
    bwd[DNNL_ARG_DIFF_DST_LAYER] = mem({c.T, c.B, c.H}, tag::tnc, c.t["dy"]);
    bwd[DNNL_ARG_DIFF_DST_ITER] = mem(d.state), bwd[DNNL_ARG_DIFF_DST_ITER_C] = mem(d.state);
    update = {{w.layer, via(after, gl, w.layer.get_desc())}, {w.iter, via(after, gi, w.iter.get_desc())}, {w.bias, gb}};
    zeroed = {gl, gi, gb, dx, dh, dc};
  }

  void call() {
    for (auto &m : zeroed) {
      float *p = data(m);
      const long n = m.get_desc().get_size() / 4;
#pragma omp parallel for simd
      for (long i = 0; i < n; i++) p[i] = 0;
    }
    run(before);
    forward.execute(strm, fwd);
    run(between);
    backward.execute(strm, bwd);
    run(after);
    strm.wait();
    for (auto &u : update) {
      float *w = data(u.first);
      const float *g = data(u.second);
      const long n = u.first.get_desc().get_size() / 4;
#pragma omp parallel for simd
      for (long i = 0; i < n; i++) w[i] -= sgd_rate * g[i];
    }
  }
  const float *input_gradient() { return data(dx); }
};
}  // namespace onednn
