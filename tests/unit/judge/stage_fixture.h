/* stage_fixture.h: one evaluation of two cases by the prepare and the judge stage, served over a channel
 * that hands out prepared requests. */
#ifndef BP_TESTS_JUDGE_STAGE_FIXTURE_H
#define BP_TESTS_JUDGE_STAGE_FIXTURE_H

#include "evaluator/arena.h"
#include "evaluator/stage.h"

/* ---- the channel ---- */

struct stage_answer {
    int results;
    enum bp_message_type type;
    union {
        struct bp_msg_arenas_result arenas;
        struct bp_msg_make_result make;
        struct bp_msg_fill_result fill;
        struct bp_msg_judge_result judge;
        struct bp_msg_sample_result sample;
    } last;
    char failure[512];
};
extern struct stage_answer answer;

void channel_reset(void);
void push(enum bp_message_type type, const void *message, size_t size);
/* A copy: the stage closes what it receives. */
void push_fd(int fd);
/* Those that the stage did not take. */
void close_left_fds(void);

/* ---- the evaluation ---- */

#define CANARY 0x5eed5eed5eedULL
#define SLOTS 3

extern const struct bp_shape shapes[2];
extern const struct bp_msg_arenas_request arenas;

struct evaluation {
    int masters, references, inputs, outputs, sample_fd;
    uint8_t *input, *output, *sample; /* the candidate's mappings */
    uint8_t *reference;               /* what an honest candidate computes for itself */
    size_t input_bytes, output_bytes, reference_bytes;
    size_t input_at[2], output_at[2], again_at[2], master_at[2], reference_at[2];
    struct bp_input_layout in[2];
    struct bp_output_layout out[2];
    struct bp_key key, fill_key;
};

/* Has the stage make and fill everything. */
void prepare(struct evaluation *e);
struct bp_msg_make_request make_request(const struct evaluation *e, int i);
void fill_request(const struct evaluation *e, struct bp_msg_fill_request *request);
/* An honest candidate: writes the rounded reference, in its own heads, into every slot. */
void run_honestly(struct evaluation *e);
/* Where the second call of case i writes. */
uint16_t *again_of(const struct evaluation *e, int i);
void push_judge_fds(const struct evaluation *e);
const struct bp_msg_judge_result *judge(struct evaluation *e);
void finish(struct evaluation *e);

#endif
