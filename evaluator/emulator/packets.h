/* packets.h: carries out one packet of a queue. */
#ifndef BP_EMULATOR_PACKETS_H
#define BP_EMULATOR_PACKETS_H

#include <hsa/hsa.h>
#include <stdbool.h>
#include <stdint.h>

/* The most wave-instructions a dispatch may take; one that takes more then hangs without using
 * the processor. */
void emu_packets_limit(uint64_t instructions);

/* Carries out the 64 bytes at `packet` in the ring of `queue`, waits for what it waits for, and
 * completes its signal. Returns HSA_STATUS_SUCCESS, or the error that ends the queue. When *stop
 * becomes true it returns soon, and the packet may be incomplete. */
hsa_status_t emu_packet_run(const void *packet, const hsa_queue_t *queue, volatile bool *stop);

#endif
