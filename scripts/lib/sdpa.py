#!/usr/bin/env python3
"""Times PyTorch's scaled_dot_product_attention on shapes of a suite: one JSON object a line.

usage: sdpa.py DTYPE INDEX < SHAPES (JSON list: name, batch, q_heads, kv_heads, q_len, kv_len, head_dim,
causal, window); exit status 77 with the reason where PyTorch or its GPU is not there

Calls stand back to back on the same inputs, so that what fits a cache is read from there: a lower bound,
where bulletproof walks through fresh inputs. With --cpu it is tried without a GPU.
"""
import argparse
import json
import statistics
import sys
import time

WARM_UP, ROUNDS, ROUND_S = 3, 9, 0.02


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def mask_of(torch, shape, device):
    """None where the shape needs none but is_causal; True where a key is seen."""
    q_len, kv_len = shape["q_len"], shape["kv_len"]
    plain = not shape["causal"] or q_len == 1 or (q_len == kv_len and not shape["window"])
    if plain and not shape["window"]:
        return None
    token = torch.arange(q_len, device=device)[:, None] + kv_len - q_len
    key = torch.arange(kv_len, device=device)[None, :]
    seen = key <= token if shape["causal"] else torch.ones_like(key <= token)
    return seen & (key > token - shape["window"]) if shape["window"] else seen


def seconds_of(call, wait):
    """Median of a call, over rounds of as many as take ROUND_S."""
    for _ in range(WARM_UP):
        call()
    wait()
    begin = time.perf_counter()
    call()
    wait()
    calls = max(1, int(ROUND_S / max(time.perf_counter() - begin, 1e-6)))
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        wait()
        rounds.append((time.perf_counter() - begin) / calls)
    return statistics.median(rounds)


def measure(torch, shape, dtype, device):
    def tensor(heads, tokens):
        return torch.randn(shape["batch"], heads, tokens, shape["head_dim"], device=device).to(dtype)
    q = tensor(shape["q_heads"], shape["q_len"])
    k, v = (tensor(shape["kv_heads"], shape["kv_len"]) for _ in range(2))
    group = shape["q_heads"] // shape["kv_heads"]
    k, v = (x.repeat_interleave(group, dim=1) for x in (k, v))  # before the clock starts
    mask = mask_of(torch, shape, device)
    causal = mask is None and bool(shape["causal"]) and shape["q_len"] > 1
    attention = torch.nn.functional.scaled_dot_product_attention
    wait = torch.cuda.synchronize if device != "cpu" else lambda: None
    return seconds_of(lambda: attention(q, k, v, attn_mask=mask, is_causal=causal), wait)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dtype", choices=["f16", "bf16", "f32"])
    parser.add_argument("index", type=int)
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError as problem:
        skip(f"PyTorch cannot be imported: {problem}")
    if not arguments.cpu and arguments.index >= torch.cuda.device_count():
        skip(f"PyTorch {torch.__version__} sees {torch.cuda.device_count()} GPUs")
    device = "cpu" if arguments.cpu else f"cuda:{arguments.index}"
    dtype = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}[arguments.dtype]
    for shape in json.load(sys.stdin):
        with torch.inference_mode():
            seconds = measure(torch, shape, dtype, device)
        print(json.dumps({"shape": shape["name"], "ms": seconds * 1e3, "torch": torch.__version__}))


main()
