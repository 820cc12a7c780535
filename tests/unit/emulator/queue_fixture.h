/* queue_fixture.h: a queue of an emulated GPU, as a runtime uses it. Each case has a process of its own, as
 * a queue that failed stays so. */
#ifndef BP_TESTS_EMULATOR_QUEUE_FIXTURE_H
#define BP_TESTS_EMULATOR_QUEUE_FIXTURE_H

#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/unit/emulator/told_dispatch.h"

#define SECOND 1000000000u
#define RING 64u
#define FAULT_ADDRESS 0x7123456789abu

hsa_status_t hsa_init(void);

extern hsa_queue_t *queue;
extern char *memory;        /* of the device, a page: a descriptor, and a kernarg segment at 1024 */
extern hsa_signal_t failed; /* 1 until the queue has failed */
extern volatile hsa_status_t status_of_queue;
extern volatile uint32_t event_type; /* as note_event was told; UINT32_MAX: nothing */
extern volatile uint64_t event_detail;
extern hsa_status_t handler_answers; /* what note_event returns */

/* The system's event handler. */
hsa_status_t note_event(const hsa_amd_event_t *event, void *data);

hsa_signal_t make_signal(int64_t value);
bool becomes_zero(hsa_signal_t signal, uint64_t timeout);

/* Opens the device with these faults to commit, and the queue. */
void open_queue(const char *faults);

/* Writes a packet as a runtime does: the header last, then the doorbell. */
void submit(const void *packet, unsigned type);
hsa_kernel_dispatch_packet_t dispatch_of(hsa_signal_t completion);
void submit_dispatch(hsa_signal_t completion);

/* Submits a dispatch that never ends, or one that fails the queue with this status. */
void expect_hang(void);
void expect_failure(uint32_t status);

struct queue_case {
    const char *name;
    void (*run)(void);
    int signal; /* that must end it; 0: none */
};
#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name, 0                                                                             \
    }

/* A failed assertion outside of a test of cmocka's ends the process with its message. */
void queue_run_each(const struct queue_case *cases, size_t count);

#endif
