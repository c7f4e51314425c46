#!/bin/sh
# The ONNX files of this folder, written by the command of commit 1caf50d, whose
# checkpoint/onnx wrote them by itself: make.sh UNROLL, from the root of the project.
set -eu
here=internal/modelfile/testdata/written
onnx=checkpoint/onnx/testdata
"$1" convert $onnx/golden/lstm_language_model.onnx $here/language.onnx
"$1" convert $onnx/exporters/torch_lstm_bi_final.onnx $here/final.onnx
"$1" convert --opset 9 $onnx/golden/gru_3layers_batchfirst.onnx $here/batch_first.onnx
"$1" convert $onnx/golden/rnn_relu_2layers_hx.onnx $here/relu.onnx
"$1" convert --opset 22 $onnx/operators/lstm_bi_peepholes_clip.onnx $here/peepholes.onnx
