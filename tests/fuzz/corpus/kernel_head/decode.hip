/*! bulletproof
name: decode_split
targets: [cpu, amd, nvidia]
dtypes: [f16, bf16, f32]
supports: (head_dim == 64 || head_dim == 128) && q_len <= 16

knobs:
  KV_SPLITS: [1, 2, 4, 8, 16, 32, 64]  # blocks that share the keys of a sequence, at most
  BLOCK_N: [1, 2, 4, 8]                # keys a team has in flight
  THREADS: [32, 64, 128, 256, 512]     # threads per block
  LANES: [8, 16, 32]                   # threads of a team; a team takes one key's row at a time
  ROWS: [1, 2, 4, 8]                   # query rows of a group that share one read of K and V
constraints:
  - THREADS % LANES == 0
  # registers: Q and O of the rows, K and V of the keys
  - 2 * (ROWS + BLOCK_N) * (128 / LANES) <= 192
  # LDS at head_dim 128: every team's maxima, sums and outputs
  - THREADS / LANES * ROWS * (128 + 2) * 4 <= 65536
default: {KV_SPLITS: 8, BLOCK_N: 4, THREADS: 128, LANES: 16, ROWS: 4}
*/
