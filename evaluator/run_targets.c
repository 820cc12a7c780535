#include "evaluator/run_targets.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

int bp_run_targets_map(struct bp_run_targets *targets, const struct bp_device *device,
                       int fds[BP_RUN_FDS], struct bp_error *err)
{
    const struct {
        enum bp_run_fd fd;
        const char *name;
        enum bp_arena_access access;
        struct bp_run_room *room;
    } wanted[] = {
        {BP_RUN_FD_CASE_INPUTS, "case inputs", BP_ARENA_WRITE, &targets->case_inputs},
        {BP_RUN_FD_CASE_OUTPUTS, "case outputs", BP_ARENA_WRITE, &targets->case_outputs},
        {BP_RUN_FD_RING_INPUTS, "ring inputs", BP_ARENA_READ, &targets->ring_inputs},
        {BP_RUN_FD_RING_OUTPUTS, "ring outputs", BP_ARENA_WRITE, &targets->ring_outputs},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct bp_arena *arena = &wanted[i].room->arena;
        void *there = NULL;
        if (bp_arena_map(bp_steal_fd(&fds[wanted[i].fd]), wanted[i].name, wanted[i].access, arena,
                         err) < 0 ||
            (arena->size > 0 && device->mirror(arena->base, arena->size, &there, err) < 0))
            return -1;
        wanted[i].room->there = there;
    }
    return 0;
}

/* Where `slots` slots at offset lie; they must be inside the arena and aligned as tensors are. */
static int place_slots(const struct bp_run_room *room, uint64_t offset, uint64_t slot_bytes,
                       uint32_t slots, struct bp_run_place *place, struct bp_error *err)
{
    const struct bp_arena *arena = &room->arena;
    uint64_t bytes;
    if (offset % BP_TENSOR_ALIGN != 0 || offset > arena->size ||
        __builtin_mul_overflow(slot_bytes, (uint64_t)slots, &bytes) || bytes > arena->size - offset)
        return bp_fail(err, BP_ERR_PROTOCOL,
                       "%" PRIu32 " slots at %" PRIu64 " are outside an arena of %zu bytes", slots,
                       offset, arena->size);
    *place = (struct bp_run_place){arena->base + offset, room->there + offset};
    return 0;
}

/* The plan of the shape's name, a new one at its first use. */
static uint32_t plan_for(struct bp_run_targets *targets, const struct bp_run_target *target)
{
    for (uint32_t i = 0; i < targets->plan_count; i++) {
        if (strcmp(targets->planned[i]->shape->name, target->shape->name) == 0)
            return i;
    }
    targets->planned[targets->plan_count] = target;
    return targets->plan_count++;
}

static int set_target(struct bp_run_targets *targets, enum bp_dtype dtype,
                      struct bp_run_target *target, const struct bp_shape *shape,
                      const struct bp_run_room *inputs, uint64_t input_offset,
                      const struct bp_run_room *outputs, uint64_t output_offset, uint32_t slots,
                      struct bp_error *err)
{
    if (bp_shape_check(shape, err) < 0)
        return -1;
    target->shape = shape;
    target->slots = slots;
    bp_layout_inputs(shape, dtype, &target->in);
    bp_layout_outputs(shape, dtype, &target->out);
    if (place_slots(inputs, input_offset, target->in.bytes, slots, &target->inputs, err) < 0 ||
        place_slots(outputs, output_offset, target->out.bytes, slots, &target->outputs, err) < 0)
        return bp_fail_within(err, "shape %s", shape->name);
    target->plan = plan_for(targets, target);
    return 0;
}

int bp_run_targets_set(struct bp_run_targets *targets, const struct bp_msg_run_request *request,
                       struct bp_error *err)
{
    enum bp_dtype dtype = (enum bp_dtype)request->dtype;
    for (uint32_t i = 0; i < request->case_count; i++) {
        const struct bp_run_case *c = &request->cases[i];
        struct bp_run_target *target = &targets->cases[i];
        if (set_target(targets, dtype, target, &c->shape, &targets->case_inputs, c->input_offset,
                       &targets->case_outputs, c->output_offset, 1, err) < 0 ||
            place_slots(&targets->case_outputs, c->again_offset, target->out.bytes, 1,
                        &target->again, err) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < request->timed_count; i++) {
        const struct bp_run_timed *t = &request->timed[i];
        if (t->slots == 0)
            return bp_fail(err, BP_ERR_PROTOCOL, "shape %s is timed on no slots", t->shape.name);
        if (set_target(targets, dtype, &targets->timed[i], &t->shape, &targets->ring_inputs,
                       t->input_offset, &targets->ring_outputs, t->output_offset, t->slots,
                       err) < 0)
            return -1;
    }
    return 0;
}
