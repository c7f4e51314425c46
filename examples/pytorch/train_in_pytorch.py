"""Trains the same model from the same seed in PyTorch, and compares the losses.

    unroll train examples/names/data/Italian.txt --task text -o italian \
        --hidden 64 --layers 2 --embedding 32 --batch 8 --window 20 \
        --dropout 0.2 --head-dropout 0.1 --epochs 2 --seed 1 --log run.jsonl
    python3 examples/pytorch/train_in_pytorch.py examples/names/data/Italian.txt run.jsonl

A character model: embedding, LSTM with dropout between its layers, dropout, a
linear head; Adam, gradients clipped to norm 1, the state carried from window to
window. Parameters and dropout masks are drawn by one generator that
torch.manual_seed(1) started, so every number has to be the same but for rounding.
Prints the mean loss of each epoch; the exit code is 1 if one is not within 1e-6.
"""
import json
import sys

import torch
from torch import nn
from torch.nn.functional import cross_entropy

torch.set_num_threads(1)  # small products: more threads wait for each other
HIDDEN, LAYERS, EMBEDDING, BATCH, WINDOW, EPOCHS = 64, 2, 32, 8, 20, 2


def main(path, log):
    text = open(path, encoding="utf-8").read()
    held = int(len(text) * 0.1)  # for the test, and as much for validation
    text = text[:len(text) - 2 * held]
    index = {c: i for i, c in enumerate(["<unk>"] + sorted(set(text)))}
    ids = torch.tensor([index[c] for c in text])

    torch.manual_seed(1)
    embedding = nn.Embedding(len(index), EMBEDDING)
    rnn = nn.LSTM(EMBEDDING, HIDDEN, LAYERS, dropout=0.2)
    head = nn.Linear(HIDDEN, len(index))
    parameters = [*embedding.parameters(), *rnn.parameters(), *head.parameters()]
    adam = torch.optim.Adam(parameters, lr=2e-3)

    part = (len(ids) - 1) // BATCH  # each sequence of a batch reads its own part
    x = ids[:BATCH * part].view(BATCH, part).T
    y = ids[1:BATCH * part + 1].view(BATCH, part).T
    ours = [json.loads(line) for line in open(log)]
    worst = 0.0
    for epoch in range(EPOCHS):
        state, total, steps = None, 0.0, 0
        for t in range(0, part, WINDOW):
            out, state = rnn(embedding(x[t:t + WINDOW]), state)
            state = tuple(s.detach() for s in state)
            logits = head(nn.functional.dropout(out, 0.1))
            target = y[t:t + WINDOW]
            loss = cross_entropy(logits.reshape(-1, len(index)), target.reshape(-1))
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1)
            adam.step()
            total += loss.item() * target.numel()
            steps += 1
        mean = total / (BATCH * part)
        got = ours[epoch]["loss"]
        worst = max(worst, abs(mean - got))
        print(f"epoch {epoch + 1}, {steps} steps: unroll {got:.8f}, PyTorch {torch.__version__} {mean:.8f}")
    return 0 if worst < 1e-6 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
