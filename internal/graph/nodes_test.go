package graph

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit"
)

// The ONNX project's own tests of its operators, written by
// testdata/node_tests.py from package onnx 1.23.2.
func TestNodesOfTheONNXProject(t *testing.T) {
	cases, right, refused := 0, 0, map[string]int{}
	for file, b := range zipped(t, "testdata/nodes.zip") {
		cases++
		name := strings.TrimSuffix(file, ".onnx")
		err := runNode(t, b, file, testkit.Tol{Abs: 1e-6, Rel: 1e-4})
		switch {
		case err == nil:
			right++
		case errors.Is(err, ErrOperator):
			refused[name]++
			if !slices.Contains(refusedNodes, name) {
				t.Errorf("%s: refused: %v", name, err)
			}
		case slices.Contains(asONNXRuntime, name):
		default:
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range refusedNodes {
		if refused[name] == 0 {
			t.Errorf("%s is listed as refused, and is not", name)
		}
	}
	t.Logf("%d of %d cases right, %d refused", right, cases, len(refused))
}

// refusedNodes are cases of what the table does not have.
var refusedNodes = []string{
	"test_batchnorm_epsilon_training_mode", "test_batchnorm_example_training_mode",
	"test_dequantizelinear_blocked", "test_quantizelinear_blocked_asymmetric",
	"test_scan_sum", // version 8
	"test_training_dropout", "test_training_dropout_default", "test_training_dropout_default_mask", "test_training_dropout_mask",
	"test_training_dropout_zero_ratio", "test_training_dropout_zero_ratio_mask",
	// Windows of keys, and lengths of a cache kept outside, of versions 24 and 25.
	"test_attention_3d_local_window", "test_attention_4d_causal_nonpad_attn_mask_composition", "test_attention_4d_causal_nonpad_batch_prefill",
	"test_attention_4d_causal_nonpad_continued_prefill", "test_attention_4d_causal_nonpad_negative_offset_structural_empty",
	"test_attention_4d_causal_padded_kv_bf16", "test_attention_4d_diff_heads_mask4d_padded_kv", "test_attention_4d_gqa_causal_nonpad_decode",
	"test_attention_4d_gqa_causal_nonpad_decode_fp16", "test_attention_4d_padded_kv_bf16", "test_attention_bidirectional_window",
	"test_attention_local_window", "test_attention_local_window_default", "test_attention_local_window_ext_cache_float16_mask",
	"test_attention_local_window_ext_cache_rank2_mask", "test_attention_local_window_ext_cache_rank3_head_mask",
	"test_attention_local_window_ext_cache_rank4_batch_mask", "test_attention_local_window_gqa_rank4_mask",
	"test_attention_local_window_rank1_boolean_mask", "test_attention_local_window_with_past",
	// Integers with a sign, since version 26.
	"test_bitshift_left_int32", "test_bitshift_left_int32_negative_shift", "test_bitshift_left_int32_overflow", "test_bitshift_left_int32_shift_ge_width",
	"test_bitshift_left_int64", "test_bitshift_left_int8", "test_bitshift_left_int8_negative_shift", "test_bitshift_left_int8_overflow",
	"test_bitshift_left_int8_shift_ge_width", "test_bitshift_right_int32", "test_bitshift_right_int32_negative_input",
	"test_bitshift_right_int32_negative_shift", "test_bitshift_right_int32_shift_ge_width", "test_bitshift_right_int64", "test_bitshift_right_int8",
	"test_bitshift_right_int8_negative_input", "test_bitshift_right_int8_negative_shift", "test_bitshift_right_int8_shift_ge_width",
}

// asONNXRuntime are cases in which ONNX's reference takes the size of the output, by
// which align_corners divides, for a fraction; ONNX Runtime and PyTorch do not.
var asONNXRuntime = []string{"test_resize_downsample_scales_cubic_align_corners", "test_resize_downsample_scales_linear_align_corners"}

// runNode runs one case, by a plan and node by node, and compares.
func runNode(t *testing.T, b []byte, name string, tol testkit.Tol) error {
	f, err := onnx.Parse(b, name)
	if err != nil {
		return err
	}
	g, err := FromONNX(f)
	if err != nil {
		return err
	}
	return runCase(t, f, g, name, tol)
}

// runCase is runNode for the graph of a file.
func runCase(t *testing.T, f *onnx.File, g *Graph, name string, tol testkit.Tol) error {
	p, err := Compile(g, Limits{})
	if err != nil {
		return err
	}
	read := func(kind string, i int) Value {
		x, err := f.Tensor(kind + "." + strconv.Itoa(i))
		if err != nil {
			t.Fatal(err)
		}
		v, err := fromTensor(x)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	// Values of halves are held as float32, so results differ by what a half
	// rounds.
	for _, p := range slices.Concat(g.Inputs, g.Outputs) {
		switch p.Type {
		case F16:
			tol = testkit.Tol{Abs: 1e-3, Rel: 2e-3}
		case BF16:
			tol = testkit.Tol{Abs: 1e-2, Rel: 1.6e-2}
		}
	}
	if strings.HasPrefix(name, "test_averagepool_2d_ceil_last") { // its numbers have four digits
		tol.Abs = 5e-5
	}
	if strings.HasPrefix(name, "test_attention_24_qk_matmul_output_mode3_softmax_precision") { // softmax in halves
		tol = testkit.Tol{Abs: 1e-3, Rel: 2e-3}
	}
	in, want := make([]Value, len(g.Inputs)), make([]Value, len(g.Outputs))
	for i := range in {
		in[i] = read("in", i)
	}
	for i := range want {
		want[i] = read("out", i)
	}
	for k := range 3 {
		if k == 2 { // written and read again
			if p, err = rewritten(g); err != nil {
				return err
			}
		}
		out := make([]Value, len(want))
		if err := p.Run(in, out); err != nil {
			return err
		}
		for i := range want {
			if err := closeNode(out[i], want[i], tol); err != nil {
				return err
			}
		}
		p.plans.eager = true // the other way
		p.plans.list = nil
	}
	return nil
}

// rewritten compiles what WriteONNX writes of a graph.
func rewritten(g *Graph) (*Program, error) {
	// The case's own numbers stand beside it as constants that nothing reads.
	with := *g
	with.Constants = slices.DeleteFunc(slices.Clone(g.Constants), func(c Constant) bool {
		return strings.HasPrefix(c.Name, "in.") || strings.HasPrefix(c.Name, "out.")
	})
	var b bytes.Buffer
	if err := WriteONNX(&b, &with); err != nil {
		return nil, err
	}
	f, err := onnx.Parse(b.Bytes(), "again.onnx")
	if err != nil {
		return nil, err
	}
	again, err := FromONNX(f)
	if err != nil {
		return nil, err
	}
	return Compile(again, Limits{})
}

func closeNode(got, want Value, tol testkit.Tol) error {
	if got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
		return errors.New("got " + got.String() + ", want " + want.String())
	}
	switch want.Type {
	case F32:
		return testkit.Near(Data[float32](got), Data[float32](want), tol)
	case F64:
		return testkit.Near(Data[float64](got), Data[float64](want), testkit.Tol{Abs: 1e-7, Rel: 1e-7})
	}
	if string(got.bytes()) != string(want.bytes()) {
		return errors.New("the elements differ")
	}
	return nil
}
