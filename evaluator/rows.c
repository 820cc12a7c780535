#include "evaluator/rows.h"

#define TILE 64

/* How a list that cannot hold all rows is cut: every (batch, head) has `tiles` tiles of tokens,
 * each cut into `strata` parts of nearly equal size (the last tile into no more parts than it has
 * tokens), and each part gives one random row. */
struct cut {
    bool all;        /* every row is in the list */
    uint64_t heads;  /* batch * q_heads */
    uint64_t tiles;  /* per head */
    uint64_t strata; /* per full tile */
    uint64_t tail_tokens, tail_strata;
    uint64_t per_head; /* rows of a head before thinning */
    uint64_t count;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static struct cut make_cut(const struct bp_shape *shape, uint64_t max_rows)
{
    struct cut cut = {.heads = (uint64_t)shape->batch * shape->q_heads};
    cut.all = cut.heads * shape->q_len <= max_rows;
    cut.tiles = (shape->q_len + TILE - 1) / TILE;
    cut.tail_tokens = shape->q_len - (cut.tiles - 1) * TILE;
    cut.strata = max_rows / (cut.heads * cut.tiles);
    if (cut.strata < 1)
        cut.strata = 1;
    cut.strata = smaller(cut.strata, TILE);
    cut.tail_strata = smaller(cut.strata, cut.tail_tokens);
    cut.per_head = cut.all ? shape->q_len : (cut.tiles - 1) * cut.strata + cut.tail_strata;
    cut.count = smaller(cut.heads * cut.per_head, max_rows);
    return cut;
}

uint64_t bp_rows_count(const struct bp_shape *shape, uint64_t max_rows)
{
    return make_cut(shape, max_rows).count;
}

struct bp_row bp_rows_at(const struct bp_shape *shape, const struct bp_key *key, uint64_t max_rows,
                         uint64_t index)
{
    struct cut cut = make_cut(shape, max_rows);
    /* Thinning takes every (total / count)-th row; it is the identity when count is the total. */
    uint64_t place = (uint64_t)((__uint128_t)index * (cut.heads * cut.per_head) / cut.count);
    uint64_t head = place / cut.per_head;
    uint64_t within = place % cut.per_head;
    uint64_t token = within;
    if (!cut.all) {
        uint64_t tile = smaller(within / cut.strata, cut.tiles - 1);
        bool tail = tile == cut.tiles - 1;
        uint64_t tokens = tail ? cut.tail_tokens : TILE;
        uint64_t strata = tail ? cut.tail_strata : cut.strata;
        uint64_t stratum = within - tile * cut.strata;
        uint64_t begin = stratum * tokens / strata;
        uint64_t end = (stratum + 1) * tokens / strata;
        struct bp_key row_key;
        struct bp_random random;
        bp_key_derive(key, "row", place, &row_key);
        bp_random_start(&random, &row_key);
        token = tile * TILE + begin + bp_random_below(&random, end - begin);
    }
    return (struct bp_row){
        .batch = (uint32_t)(head / shape->q_heads),
        .head = (uint32_t)(head % shape->q_heads),
        .token = (uint32_t)token,
    };
}
