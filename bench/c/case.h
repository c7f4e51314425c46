// A workload: its shape and its float32 tensors by name, in PyTorch's layout and gate
// order, read from the shared data files or drawn.
#pragma once
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

struct Case {
  std::string kind, mode;
  int I = 0, H = 0, L = 0, T = 0, B = 0, D = 0, carry = 0;
  std::map<std::string, std::vector<float>> t;

  int gates() const { return kind == "rnn" ? 1 : kind == "gru" ? 3 : 4; }
  int in(int layer) const { return layer == 0 ? I : H * D; }
  const std::vector<float> &w(const char *name, int layer, int dir) {
    return t[std::string(name) + "." + std::to_string(layer) + "." + std::to_string(dir)];
  }
};

inline Case load_case(const std::string &data, const std::string &name) {
  Case c;
  std::ifstream meta(data + "/" + name + ".meta"), bin(data + "/" + name + ".bin", std::ios::binary);
  if (!meta || !bin) {
    printf("skip no data file for this workload\n");
    exit(0);
  }
  std::map<std::string, int *> ints = {{"I", &c.I}, {"H", &c.H}, {"L", &c.L}, {"T", &c.T}, {"B", &c.B}, {"D", &c.D}, {"carry", &c.carry}};
  for (std::string line; std::getline(meta, line);) {
    std::istringstream s(line);
    std::string k;
    s >> k;
    if (k == "kind") s >> c.kind;
    else if (k == "mode") s >> c.mode;
    else if (ints.count(k)) s >> *ints[k];
    else if (k == "tensor") {
      std::string n;
      long off, len;
      s >> n >> off >> len;
      std::vector<float> v(len);
      bin.seekg(off * 4);
      bin.read(reinterpret_cast<char *>(v.data()), len * 4);
      c.t[n] = std::move(v);
    }
  }
  return c;
}

// One layer with drawn weights, as PyTorch initialises them.
inline Case draw_case(const std::string &kind, int I, int H, int T, int B, const std::string &mode) {
  Case c;
  c.kind = kind, c.mode = mode, c.I = I, c.H = H, c.L = 1, c.T = T, c.B = B, c.D = 1;
  std::mt19937 g(1);
  auto draw = [&](size_t n, float a) {
    std::uniform_real_distribution<float> u(-a, a);
    std::vector<float> v(n);
    for (float &x : v) x = u(g);
    return v;
  };
  const float a = 1 / std::sqrt((float)H);
  const size_t rows = (size_t)c.gates() * H;
  c.t["w_ih.0.0"] = draw(rows * I, a), c.t["w_hh.0.0"] = draw(rows * H, a);
  c.t["b_ih.0.0"] = draw(rows, a), c.t["b_hh.0.0"] = draw(rows, a);
  c.t["x"] = draw((size_t)T * B * I, 1), c.t["h0"] = std::vector<float>((size_t)B * H);
  c.t["c0"] = c.t["h0"], c.t["dy"] = draw((size_t)T * B * H, 1);
  return c;
}
