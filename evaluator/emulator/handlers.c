/* handlers.c: functions that are called, on a thread of their own, when a signal meets a
 * condition. */
#include "evaluator/emulator/signals.h"

#include <pthread.h>
#include <stdlib.h>

struct handler {
    hsa_signal_t signal;
    hsa_signal_condition_t condition;
    hsa_signal_value_t compare;
    hsa_amd_signal_handler function;
    void *argument;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct handler *handlers; /* in the order in which they were registered */
static size_t handler_count, handler_room;
static bool thread_runs;

static void remove_locked(size_t n)
{
    handler_count--;
    for (; n < handler_count; n++)
        handlers[n] = handlers[n + 1];
}

static bool add_locked(const struct handler *added)
{
    if (handler_count == handler_room) {
        size_t room = handler_room ? handler_room * 2 : 64;
        struct handler *larger = realloc(handlers, room * sizeof(*handlers));
        if (!larger)
            return false;
        handlers = larger;
        handler_room = room;
    }
    handlers[handler_count++] = *added;
    return true;
}

/* Takes the first handler out whose condition holds; false if there is none. *armed: how many
 * there are. */
static bool take_due(struct handler *due, int64_t *value, size_t *armed)
{
    bool found = false;
    pthread_mutex_lock(&mutex);
    *armed = handler_count;
    for (size_t n = 0; n < handler_count && !found; n++) {
        *value = emu_signal_load(handlers[n].signal);
        found = emu_condition_holds(*value, handlers[n].condition, handlers[n].compare);
        if (found) {
            *due = handlers[n];
            remove_locked(n);
        }
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t ticket = emu_bell_ticket();
        struct handler due;
        int64_t value;
        size_t armed;
        if (!take_due(&due, &value, &armed)) {
            emu_bell_wait(ticket, armed ? EMU_SIGNAL_POLL_NS : 1000 * EMU_SIGNAL_POLL_NS);
            continue;
        }
        if (due.function(value, due.argument)) {
            pthread_mutex_lock(&mutex);
            add_locked(&due);
            pthread_mutex_unlock(&mutex);
        }
    }
    return NULL;
}

static bool start_thread_locked(void)
{
    pthread_t thread;
    if (!thread_runs && pthread_create(&thread, NULL, serve, NULL) == 0) {
        pthread_detach(thread);
        thread_runs = true;
    }
    return thread_runs;
}

hsa_status_t hsa_amd_signal_async_handler(hsa_signal_t signal, hsa_signal_condition_t condition,
                                          hsa_signal_value_t compare,
                                          hsa_amd_signal_handler function, void *argument)
{
    if (!signal.handle || !function)
        return HSA_STATUS_ERROR_INVALID_ARGUMENT;
    struct handler added = {signal, condition, compare, function, argument};
    pthread_mutex_lock(&mutex);
    bool ready = start_thread_locked() && add_locked(&added);
    pthread_mutex_unlock(&mutex);
    emu_bell_ring();
    return ready ? HSA_STATUS_SUCCESS : HSA_STATUS_ERROR_OUT_OF_RESOURCES;
}

void emu_handlers_drop(hsa_signal_t signal)
{
    pthread_mutex_lock(&mutex);
    for (size_t n = handler_count; n-- > 0;)
        if (handlers[n].signal.handle == signal.handle)
            remove_locked(n);
    pthread_mutex_unlock(&mutex);
}
