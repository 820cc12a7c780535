/* random.h: keyed, counter-based randomness over libsodium; no hidden state, so a resumed run needs
 * none. A stream is a pure function of (key, purpose, number). */
#ifndef BP_BASE_RANDOM_H
#define BP_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#define BP_KEY_BYTES 32

struct bp_key {
    uint8_t bytes[BP_KEY_BYTES];
};

/* A fresh secret from the kernel's generator. */
void bp_key_random(struct bp_key *key);

/* A key from a small public seed (search decisions, --seed). */
void bp_key_from_seed(uint64_t seed, struct bp_key *key);

/* The sub-key of parent for one purpose and number: keyed BLAKE2b over both. */
void bp_key_derive(const struct bp_key *parent, const char *purpose, uint64_t number,
                   struct bp_key *child);

/* A fast generator (xoshiro256**, Blackman and Vigna 2018) started from a key. Plain data. */
struct bp_random {
    uint64_t state[4];
};

void bp_random_start(struct bp_random *random, const struct bp_key *key);
uint64_t bp_random_u64(struct bp_random *random);
/* Uniform in [0, bound), without modulo bias; bound > 0. */
uint64_t bp_random_below(struct bp_random *random, uint64_t bound);
/* Uniform in (0, 1). */
double bp_random_unit(struct bp_random *random);
/* Standard normal deviate (Marsaglia's polar method). */
double bp_random_normal(struct bp_random *random);

/* SHA-256 as 64 lower-case hex digits and a NUL: the identity of sources and objects. */
#define BP_HASH_TEXT 65
void bp_hash_text(const void *data, size_t size, char text[BP_HASH_TEXT]);

#endif
