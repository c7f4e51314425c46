module github.com/unroll-ml/unroll/internal/kernel/_asm

go 1.26
