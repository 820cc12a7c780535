/* queues.c: queues of the GPU; each has a thread that carries out its packets in their order. */
#include <hsa/hsa.h>
#include <hsa/amd_hsa_queue.h>
#include <hsa/hsa_ext_amd.h>
#include <pthread.h>
#include <string.h>

#include "evaluator/emulator/agents.h"
#include "evaluator/emulator/isa/dispatch.h"
#include "evaluator/emulator/faults.h"
#include "evaluator/emulator/packets.h"
#include "evaluator/emulator/ranges.h"
#include "evaluator/emulator/signals.h"

#define PACKET_BYTES 64u

struct queue {
    amd_queue_t aql; /* first: a hsa_queue_t is the start of it */
    void (*callback)(hsa_status_t, hsa_queue_t *, void *);
    void *data;
    pthread_t thread;
    volatile bool stop;
};

static struct queue *queue_of(const hsa_queue_t *queue)
{
    return (struct queue *)queue;
}

static hsa_kernel_dispatch_packet_t *packet_at(const struct queue *queue, uint64_t index)
{
    char *ring = queue->aql.hsa_queue.base_address;
    return (hsa_kernel_dispatch_packet_t *)(ring +
                                            index % queue->aql.hsa_queue.size * PACKET_BYTES);
}

/* The next packet if it is complete: its header is what is written last. */
static const void *next_packet(const struct queue *queue)
{
    uint64_t read = queue->aql.read_dispatch_id;
    if (read >= __atomic_load_n(&queue->aql.write_dispatch_id, __ATOMIC_ACQUIRE))
        return NULL;
    const hsa_kernel_dispatch_packet_t *packet = packet_at(queue, read);
    uint16_t header = __atomic_load_n(&packet->header, __ATOMIC_ACQUIRE);
    bool valid = ((header >> HSA_PACKET_HEADER_TYPE) & 0xff) != HSA_PACKET_TYPE_INVALID;
    return valid ? packet : NULL;
}

static void release_packet(struct queue *queue)
{
    uint64_t read = queue->aql.read_dispatch_id;
    __atomic_store_n(&packet_at(queue, read)->header, HSA_PACKET_TYPE_INVALID, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->aql.read_dispatch_id, read + 1, __ATOMIC_RELEASE);
}

/* After an error the queue carries out nothing more. */
static void *serve(void *argument)
{
    struct queue *queue = argument;
    while (!queue->stop) {
        uint64_t ticket = emu_bell_ticket();
        const void *packet = next_packet(queue);
        if (!packet) {
            emu_bell_wait(ticket, 1000 * EMU_SIGNAL_POLL_NS);
            continue;
        }
        hsa_status_t status = emu_packet_run(packet, &queue->aql.hsa_queue, &queue->stop);
        if (status != HSA_STATUS_SUCCESS) {
            if (queue->callback)
                queue->callback(status, &queue->aql.hsa_queue, queue->data);
            return NULL;
        }
        release_packet(queue);
    }
    return NULL;
}

static hsa_status_t make_ring(struct queue *queue, uint32_t size)
{
    hsa_status_t status = emu_range_allocate(EMU_RANGE_READABLE, (size_t)size * PACKET_BYTES,
                                             &queue->aql.hsa_queue.base_address);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    for (uint32_t n = 0; n < size; n++)
        packet_at(queue, n)->header = HSA_PACKET_TYPE_INVALID;
    return HSA_STATUS_SUCCESS;
}

static void describe(struct queue *queue, uint32_t size, hsa_queue_type32_t type)
{
    static uint64_t ids;
    queue->aql.hsa_queue.type = type;
    queue->aql.hsa_queue.features = HSA_QUEUE_FEATURE_KERNEL_DISPATCH;
    queue->aql.hsa_queue.size = size;
    queue->aql.hsa_queue.id = __atomic_fetch_add(&ids, 1, __ATOMIC_RELAXED);
    queue->aql.queue_properties = AMD_QUEUE_PROPERTIES_IS_PTR64;
    queue->aql.group_segment_aperture_base_hi = EMU_SHARED_APERTURE_HI;
    queue->aql.private_segment_aperture_base_hi = EMU_PRIVATE_APERTURE_HI;
    queue->aql.read_dispatch_id_field_base_byte_offset = offsetof(amd_queue_t, read_dispatch_id);
}

static void unmake(struct queue *queue)
{
    if (queue->aql.hsa_queue.doorbell_signal.handle)
        hsa_signal_destroy(queue->aql.hsa_queue.doorbell_signal);
    if (queue->aql.hsa_queue.base_address)
        emu_range_free(queue->aql.hsa_queue.base_address);
    emu_range_free(queue);
}

static hsa_status_t start(struct queue *queue, uint32_t size)
{
    hsa_status_t status = make_ring(queue, size);
    if (status == HSA_STATUS_SUCCESS)
        status = hsa_signal_create(0, 0, NULL, &queue->aql.hsa_queue.doorbell_signal);
    if (status == HSA_STATUS_SUCCESS && pthread_create(&queue->thread, NULL, serve, queue) != 0)
        status = HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    return status;
}

hsa_status_t hsa_queue_create(hsa_agent_t agent, uint32_t size, hsa_queue_type32_t type,
                              void (*callback)(hsa_status_t, hsa_queue_t *, void *), void *data,
                              uint32_t private_bytes, uint32_t group_bytes, hsa_queue_t **made)
{
    (void)private_bytes;
    (void)group_bytes;
    if (agent.handle != emu_agent_gpu.handle)
        return HSA_STATUS_ERROR_INVALID_AGENT;
    if (size == 0 || (size & (size - 1)) != 0 || !made)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    if (emu_device_lost())
        return HSA_STATUS_ERROR_OUT_OF_RESOURCES;
    void *memory = NULL; /* kernels may read the queue, so it is memory of the device */
    hsa_status_t status = emu_range_allocate(EMU_RANGE_READABLE, sizeof(struct queue), &memory);
    if (status != HSA_STATUS_SUCCESS)
        return status;
    struct queue *queue = memory;
    queue->callback = callback;
    queue->data = data;
    describe(queue, size, type);
    status = start(queue, size);
    if (status == HSA_STATUS_SUCCESS)
        *made = &queue->aql.hsa_queue;
    else
        unmake(queue);
    return status;
}

hsa_status_t hsa_queue_destroy(hsa_queue_t *queue)
{
    if (!queue)
        return HSA_STATUS_ERROR_INVALID_QUEUE;
    struct queue *gone = queue_of(queue);
    gone->stop = true;
    emu_bell_ring();
    if (pthread_equal(gone->thread, pthread_self())) {
        /* From its own callback: the thread is about to return, and still looks at the queue. */
        pthread_detach(gone->thread);
        return HSA_STATUS_SUCCESS;
    }
    pthread_join(gone->thread, NULL);
    unmake(gone);
    return HSA_STATUS_SUCCESS;
}

uint64_t hsa_queue_add_write_index_screlease(const hsa_queue_t *queue, uint64_t value)
{
    return __atomic_fetch_add(&queue_of(queue)->aql.write_dispatch_id, value, __ATOMIC_ACQ_REL);
}

uint64_t hsa_queue_load_write_index_relaxed(const hsa_queue_t *queue)
{
    return __atomic_load_n(&queue_of(queue)->aql.write_dispatch_id, __ATOMIC_RELAXED);
}

uint64_t hsa_queue_load_read_index_scacquire(const hsa_queue_t *queue)
{
    return __atomic_load_n(&queue_of(queue)->aql.read_dispatch_id, __ATOMIC_ACQUIRE);
}

uint64_t hsa_queue_load_read_index_relaxed(const hsa_queue_t *queue)
{
    return hsa_queue_load_read_index_scacquire(queue);
}

hsa_status_t hsa_amd_queue_set_priority(hsa_queue_t *queue, hsa_amd_queue_priority_t priority)
{
    (void)priority; /* queues take turns as their threads do */
    return queue ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_QUEUE;
}

hsa_status_t hsa_amd_queue_cu_set_mask(const hsa_queue_t *queue, uint32_t bits,
                                       const uint32_t *mask)
{
    (void)bits; /* which unit runs a workgroup changes nothing here */
    (void)mask;
    return queue ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_QUEUE;
}

hsa_status_t hsa_amd_profiling_set_profiler_enabled(hsa_queue_t *queue, int enable)
{
    (void)enable; /* times are always noted */
    return queue ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_INVALID_QUEUE;
}

hsa_status_t hsa_amd_profiling_get_dispatch_time(hsa_agent_t agent, hsa_signal_t signal,
                                                 hsa_amd_profiling_dispatch_time_t *time)
{
    (void)agent;
    if (!signal.handle || !time)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    time->start = emu_signal(signal)->start_ts;
    time->end = emu_signal(signal)->end_ts;
    return HSA_STATUS_SUCCESS;
}
