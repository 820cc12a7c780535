#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "attention.h"
#include "base/io.h"
#include "stage_fixture.h"

/* ---- the channel: one queue of requests, one of answers, one of descriptors ---- */
struct queued {
    enum bp_message_type type;
    const void *message;
    size_t size;
};
static struct queued requests[8];
static int request_count, request_next;
static int fds[16], fd_count, fd_next;
struct stage_answer answer;

void channel_reset(void)
{
    request_count = request_next = fd_count = fd_next = 0;
    memset(&answer, 0, sizeof answer);
}

void push(enum bp_message_type type, const void *message, size_t size)
{
    requests[request_count++] = (struct queued){type, message, size};
}

void push_fd(int fd)
{
    fds[fd_count++] = dup(fd);
}

void close_left_fds(void)
{
    while (fd_next < fd_count)
        close(fds[fd_next++]);
}

int bp_channel_receive(struct bp_channel *channel, const enum bp_message_type *allowed,
                       enum bp_message_type *type, void **message, struct bp_error *err)
{
    (void)channel;
    if (request_next == request_count)
        return 0;
    const struct queued *next = &requests[request_next++];
    while (*allowed != BP_MESSAGE_COUNT && *allowed != next->type)
        allowed++;
    if (*allowed == BP_MESSAGE_COUNT)
        return bp_fail(err, BP_ERR_PROTOCOL, "not allowed");
    *type = next->type;
    *message = malloc(next->size);
    memcpy(*message, next->message, next->size);
    return 1;
}

int bp_channel_receive_fds(struct bp_channel *channel, int *received, uint32_t count,
                           struct bp_error *err)
{
    (void)channel;
    if (fd_count - fd_next < (int)count)
        return bp_fail(err, BP_ERR_PROTOCOL, "descriptors missing");
    memcpy(received, fds + fd_next, count * sizeof *fds);
    fd_next += (int)count;
    return 0;
}

int bp_channel_send(struct bp_channel *channel, enum bp_message_type type, const void *message,
                    struct bp_error *err)
{
    (void)channel;
    (void)err;
    size_t size = type == BP_MESSAGE_make_result     ? sizeof answer.last.make
                  : type == BP_MESSAGE_arenas_result ? sizeof answer.last.arenas
                  : type == BP_MESSAGE_fill_result   ? sizeof answer.last.fill
                  : type == BP_MESSAGE_judge_result  ? sizeof answer.last.judge
                                                     : sizeof answer.last.sample;
    memcpy(&answer.last, message, size);
    answer.type = type;
    answer.results++;
    return 0;
}

void bp_channel_fail(struct bp_channel *channel, enum bp_verdict verdict, const char *fmt, ...)
{
    (void)channel;
    assert_int_equal(verdict, BP_VERDICT_INFRA);
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(answer.failure, sizeof answer.failure, fmt, arguments);
    va_end(arguments);
}

/* ---- one evaluation of two cases ---- */
const struct bp_shape shapes[2] = {
    {"first", 1, 4, 2, 5, 70, 64, .causal = 1},
    {"second", 2, 3, 1, 4, 33, 64, .ragged = 1, .kv_lens = {33, 9}},
};
static const enum bp_family kinds[2] = {BP_FAMILY_gauss, BP_FAMILY_needle};

static int arena(size_t bytes, uint8_t **mapping)
{
    struct bp_error err;
    int fd = bp_io_memfd("test", bytes, &err);
    assert_true(fd >= 0);
    if (mapping) {
        *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(*mapping != MAP_FAILED);
    }
    return fd;
}

struct bp_msg_make_request make_request(const struct evaluation *e, int i)
{
    return (struct bp_msg_make_request){
        .shape = shapes[i],
        .family = kinds[i],
        .dtype = BP_DTYPE_BF16,
        .strictness = BP_STRICT,
        .max_rows = 1000,
        .inputs_key = e->key,
        .rows_key = e->key,
        .master_offset = e->master_at[i],
        .reference_offset = e->reference_at[i],
        .canary = CANARY,
    };
}

void fill_request(const struct evaluation *e, struct bp_msg_fill_request *request)
{
    memset(request, 0, sizeof *request);
    request->fill_count = 2;
    for (int i = 0; i < 2; i++)
        request->fills[i] = (struct bp_fill){
            .shape = shapes[i],
            .dtype = BP_DTYPE_BF16,
            .slots = SLOTS,
            .parts = BP_FILL_INPUTS | BP_FILL_OUTPUTS | BP_FILL_AGAIN,
            .master_offset = e->master_at[i],
            .input_offset = e->input_at[i],
            .output_offset = e->output_at[i],
            .again_offset = e->again_at[i],
            .permutation_key = e->fill_key,
            .canary = CANARY,
        };
}

const struct bp_msg_arenas_request arenas = {1, 1};

void prepare(struct evaluation *e)
{
    static struct bp_msg_make_request makes[2];
    static struct bp_msg_fill_request fill;
    size_t input = 0, output = 0, reference = 0;
    memset(e, 0, sizeof *e);
    bp_key_from_seed(1, &e->key);
    bp_key_from_seed(2, &e->fill_key);
    for (int i = 0; i < 2; i++) {
        struct bp_case item = {shapes[i], kinds[i], 1000};
        bp_layout_inputs(&shapes[i], BP_DTYPE_BF16, &e->in[i]);
        bp_layout_outputs(&shapes[i], BP_DTYPE_BF16, &e->out[i]);
        e->master_at[i] = e->input_at[i] = input;
        e->output_at[i] = output;
        e->reference_at[i] = reference;
        input += SLOTS * e->in[i].bytes;
        output += SLOTS * e->out[i].bytes;
        e->again_at[i] = output;
        output += e->out[i].bytes;
        reference += (bp_reference_bytes(&item) + 4095) / 4096 * 4096;
    }
    e->input_bytes = input;
    e->output_bytes = output;
    e->reference_bytes = reference;
    e->masters = arena(input, NULL);
    e->references = arena(reference, &e->reference);
    e->inputs = arena(input, &e->input);
    e->outputs = arena(output, &e->output);
    e->sample_fd = arena(4096, &e->sample);

    channel_reset();
    push_fd(e->masters);
    push_fd(e->references);
    push_fd(e->inputs);
    push_fd(e->outputs);
    push(BP_MESSAGE_arenas_request, &arenas, sizeof arenas);
    for (int i = 0; i < 2; i++) {
        makes[i] = make_request(e, i);
        push(BP_MESSAGE_make_request, &makes[i], sizeof makes[i]);
    }
    fill_request(e, &fill);
    push(BP_MESSAGE_fill_request, &fill, sizeof fill);
    assert_int_equal(bp_stage_prepare(NULL), EXIT_SUCCESS);
    assert_int_equal(answer.results, 4);
    assert_int_equal(answer.last.fill.bytes, input + output);
}

uint16_t *again_of(const struct evaluation *e, int i)
{
    return (uint16_t *)(e->output + e->again_at[i] + e->out[i].o.offset);
}

void run_honestly(struct evaluation *e)
{
    for (int i = 0; i < 2; i++) {
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            struct bp_permutation permutation;
            bp_permutation_of_slot(&shapes[i], &e->fill_key, slot, &permutation);
            uint16_t *o = (uint16_t *)(e->output + e->output_at[i] + slot * e->out[i].bytes +
                                       e->out[i].o.offset);
            const struct bp_shape *s = &shapes[i];
            for (uint32_t row = 0; row < s->batch * s->q_heads * s->q_len; row++) {
                uint32_t head = row / s->q_len % s->q_heads;
                uint32_t master = row + (permutation.q_head[head] - head) * s->q_len;
                struct bp_reference_row want =
                    bp_reference_row(e->reference + e->reference_at[i], master);
                for (uint32_t d = 0; d < s->head_dim; d++)
                    bp_dtype_store(BP_DTYPE_BF16, &o[(size_t)row * s->head_dim + d], want.o[d]);
            }
        }
        memcpy(again_of(e, i), e->output + e->output_at[i] + e->out[i].o.offset, e->out[i].o.bytes);
    }
}

static struct bp_judge_item judge_item(const struct evaluation *e, int i)
{
    return (struct bp_judge_item){
        .shape = shapes[i],
        .family = kinds[i],
        .dtype = BP_DTYPE_BF16,
        .max_rows = 1000,
        .rows_key = e->key,
        .canary = CANARY,
        .master_offset = e->master_at[i],
        .reference_offset = e->reference_at[i],
        .input_offset = e->input_at[i],
        .output_offset = e->output_at[i],
        .again_offset = e->again_at[i],
        .permutation_key = e->fill_key,
    };
}

void push_judge_fds(const struct evaluation *e)
{
    /* The slots of the cases serve as a ring too. */
    const int all[] = {e->masters, e->references, e->inputs, e->outputs, e->inputs, e->sample_fd};
    for (int i = 0; i < 6; i++) {
        struct bp_error err;
        int readonly = bp_io_reopen_readonly(all[i], &err);
        assert_true(readonly >= 0);
        push_fd(readonly);
        close(readonly);
    }
}

const struct bp_msg_judge_result *judge(struct evaluation *e)
{
    static struct bp_msg_judge_request request;
    channel_reset();
    push_judge_fds(e);
    request.item_count = 2;
    for (int i = 0; i < 2; i++)
        request.items[i] = judge_item(e, i);
    push(BP_MESSAGE_judge_request, &request, sizeof request);
    assert_int_equal(bp_stage_judge(NULL), EXIT_SUCCESS);
    assert_int_equal(answer.type, BP_MESSAGE_judge_result);
    return &answer.last.judge;
}

void finish(struct evaluation *e)
{
    close(e->masters);
    close(e->references);
    close(e->inputs);
    close(e->outputs);
    close(e->sample_fd);
    munmap(e->input, e->input_bytes);
    munmap(e->output, e->output_bytes);
    munmap(e->reference, e->reference_bytes);
    munmap(e->sample, 4096);
}
