#include "base/random.h"

#include <math.h>
#include <sodium.h>
#include <string.h>

#include "base/ln.h"

void bp_key_random(struct bp_key *key)
{
    randombytes_buf(key->bytes, sizeof key->bytes);
}

void bp_key_from_seed(uint64_t seed, struct bp_key *key)
{
    struct bp_key zero = {{0}};
    bp_key_derive(&zero, "seed", seed, key);
}

void bp_key_derive(const struct bp_key *parent, const char *purpose, uint64_t number,
                   struct bp_key *child)
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, parent->bytes, sizeof parent->bytes, sizeof child->bytes);
    /* The terminating NUL separates purpose from number. */
    crypto_generichash_update(&state, (const unsigned char *)purpose, strlen(purpose) + 1);
    crypto_generichash_update(&state, (const unsigned char *)&number, sizeof number);
    crypto_generichash_final(&state, child->bytes, sizeof child->bytes);
}

void bp_random_start(struct bp_random *random, const struct bp_key *key)
{
    memcpy(random->state, key->bytes, sizeof random->state);
    random->state[0] |= 1; /* the all-zero state is the generator's only fixed point */
}

static uint64_t rotate_left(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

uint64_t bp_random_u64(struct bp_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t bp_random_below(struct bp_random *random, uint64_t bound)
{
    uint64_t reject_below = -bound % bound;
    uint64_t x;
    do
        x = bp_random_u64(random);
    while (x < reject_below);
    return x % bound;
}

double bp_random_unit(struct bp_random *random)
{
    return ((double)(bp_random_u64(random) >> 11) + 0.5) * 0x1p-53;
}

double bp_random_normal(struct bp_random *random)
{
    double u, v, s;
    do {
        u = 2 * bp_random_unit(random) - 1;
        v = 2 * bp_random_unit(random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * bp_ln(s) / s);
}

void bp_hash_text(const void *data, size_t size, char text[BP_HASH_TEXT])
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(digest, data, size);
    sodium_bin2hex(text, BP_HASH_TEXT, digest, sizeof digest);
}
