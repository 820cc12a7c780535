#include "tests/unit/store/crash_vfs.h"

#include <assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

/* What happened, in order. An OPEN carries what the file held by then. */
enum kind { KIND_OPEN, KIND_WRITE, KIND_TRUNCATE, KIND_SYNC, KIND_DELETE, KIND_MARK };
struct moment {
    enum kind kind;
    char path[256];
    sqlite3_int64 offset; /* or size, or the mark */
    size_t bytes;
    char *data; /* owned */
};

static struct moment *moments;
static size_t count, capacity;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void note(enum kind kind, const char *path, sqlite3_int64 offset, const void *data,
                 size_t bytes)
{
    pthread_mutex_lock(&mutex);
    if (count == capacity) {
        capacity = capacity ? 2 * capacity : 1024;
        moments = realloc(moments, capacity * sizeof *moments);
        assert(moments);
    }
    struct moment *moment = &moments[count++];
    *moment = (struct moment){.kind = kind, .offset = offset, .bytes = bytes};
    snprintf(moment->path, sizeof moment->path, "%s", path);
    if (bytes > 0) {
        moment->data = malloc(bytes);
        assert(moment->data);
        memcpy(moment->data, data, bytes);
    }
    pthread_mutex_unlock(&mutex);
}

/* ---- the layer ---- */

struct file {
    sqlite3_file base;
    const char *path; /* SQLite keeps it as long as the file; null: nothing of ours */
    sqlite3_file *real;
};

static sqlite3_vfs *below;
static sqlite3_vfs layer;

#define REAL(file) (((struct file *)(file))->real)
#define CALL(file, method, ...) REAL(file)->pMethods->method(REAL(file), __VA_ARGS__)

static int file_close(sqlite3_file *file)
{
    return REAL(file)->pMethods->xClose(REAL(file));
}

static int file_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 offset)
{
    return CALL(file, xRead, data, bytes, offset);
}

static int file_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 offset)
{
    if (((struct file *)file)->path)
        note(KIND_WRITE, ((struct file *)file)->path, offset, data, (size_t)bytes);
    return CALL(file, xWrite, data, bytes, offset);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (((struct file *)file)->path)
        note(KIND_TRUNCATE, ((struct file *)file)->path, size, NULL, 0);
    return CALL(file, xTruncate, size);
}

static int file_sync(sqlite3_file *file, int flags)
{
    int result = CALL(file, xSync, flags);
    if (((struct file *)file)->path)
        note(KIND_SYNC, ((struct file *)file)->path, 0, NULL, 0);
    return result;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return CALL(file, xFileSize, size);
}

static int file_lock(sqlite3_file *file, int level)
{
    return CALL(file, xLock, level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return CALL(file, xUnlock, level);
}

static int file_reserved(sqlite3_file *file, int *held)
{
    return CALL(file, xCheckReservedLock, held);
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    return CALL(file, xFileControl, operation, argument);
}

static int file_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int file_device(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int file_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
    return CALL(file, xShmMap, page, size, extend, at);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return CALL(file, xShmLock, offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return CALL(file, xShmUnmap, remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* without memory maps of the file, which would write past us */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static void note_open(const char *path)
{
    char *data = NULL;
    struct stat info = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &info) == 0 && info.st_size > 0) {
        data = malloc((size_t)info.st_size);
        assert(data && read(fd, data, (size_t)info.st_size) == info.st_size);
    }
    if (fd >= 0)
        close(fd);
    note(KIND_OPEN, path, 0, data, (size_t)info.st_size);
    free(data);
}

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                      int *out_flags)
{
    struct file *own = (struct file *)file;
    (void)vfs;
    own->path =
        flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL) ? name : NULL;
    own->real = (sqlite3_file *)(own + 1);
    own->base.pMethods = NULL;
    if (own->path) /* before SQLite has locks that closing another descriptor would drop */
        note_open(own->path);
    int result = below->xOpen(below, name, own->real, flags, out_flags);
    if (own->real->pMethods)
        own->base.pMethods = &methods;
    return result;
}

static int layer_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    note(KIND_DELETE, name, 0, NULL, 0);
    return below->xDelete(below, name, sync);
}

void crash_vfs_install(void)
{
    below = sqlite3_vfs_find(NULL);
    layer = *below;
    layer.zName = "crash";
    layer.szOsFile = (int)sizeof(struct file) + below->szOsFile;
    layer.xOpen = layer_open;
    layer.xDelete = layer_delete;
    int code = sqlite3_vfs_register(&layer, 1);
    assert(code == SQLITE_OK);
    (void)code;
}

void crash_vfs_forget(void)
{
    for (size_t i = 0; i < count; i++)
        free(moments[i].data);
    free(moments);
    moments = NULL;
    count = capacity = 0;
}

void crash_vfs_mark(uint32_t evaluations)
{
    note(KIND_MARK, "", evaluations, NULL, 0);
}

size_t crash_vfs_moments(void)
{
    return count;
}

/* ---- the failure ---- */

/* A file that is made anew; data null: it is not there. */
struct image {
    char *data;
    size_t size, capacity;
};

static void resize(struct image *image, size_t size)
{
    if (!image->data || size > image->capacity) {
        image->capacity = 2 * size + 4096;
        image->data = realloc(image->data, image->capacity);
        assert(image->data);
    }
    if (size > image->size)
        memset(image->data + image->size, 0, size - image->size);
    image->size = size;
}

static void put(struct image *image, const struct moment *moment, size_t from, size_t to)
{
    size_t offset = (size_t)moment->offset;
    if (to <= from)
        return;
    if (offset + to > image->size)
        resize(image, offset + to);
    memcpy(image->data + offset + from, moment->data + from, to - from);
}

/* Any of its sectors, each by itself. */
static void put_some(struct image *image, const struct moment *moment, struct bp_random *random)
{
    if (bp_random_below(random, 2) == 0)
        return;
    bool whole = bp_random_below(random, 2) == 0;
    for (size_t from = 0; from < moment->bytes; from += SECTOR) {
        size_t to = from + SECTOR < moment->bytes ? from + SECTOR : moment->bytes;
        if (whole || bp_random_below(random, 2) == 0)
            put(image, moment, from, to);
    }
}

static void apply(struct image *image, const struct moment *moment, bool synced,
                  struct bp_random *random)
{
    switch (moment->kind) {
    case KIND_OPEN:
        resize(image, 0);
        put(image, moment, 0, moment->bytes);
        break;
    case KIND_WRITE:
        if (synced)
            put(image, moment, 0, moment->bytes);
        else
            put_some(image, moment, random);
        break;
    case KIND_TRUNCATE:
        if (synced || bp_random_below(random, 2) == 0)
            resize(image, (size_t)moment->offset);
        break;
    case KIND_DELETE: /* SQLite deletes nothing that is still needed */
        free(image->data);
        *image = (struct image){0};
        break;
    case KIND_SYNC:
    case KIND_MARK:
        break;
    }
}

static void make_file(size_t end, const char *path, const char *copy, struct bp_random *random)
{
    struct image image = {0};
    size_t synced = 0;
    for (size_t i = 0; i < end; i++)
        if (moments[i].kind == KIND_SYNC && strcmp(moments[i].path, path) == 0)
            synced = i;
    for (size_t i = 0; i < end; i++)
        if (strcmp(moments[i].path, path) == 0)
            apply(&image, &moments[i], i < synced, random);
    if (!image.data)
        return;
    int fd = open(copy, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    ssize_t put = write(fd, image.data, image.size);
    assert(put == (ssize_t)image.size);
    (void)put;
    close(fd);
    free(image.data);
}

uint32_t crash_vfs_fail(size_t moment, const char *from, const char *to, struct bp_random *random)
{
    static const char *const names[] = {"run.db", "run.db-wal"};
    uint32_t reported = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4200], copy[4200];
        snprintf(path, sizeof path, "%s/%s", from, names[i]);
        snprintf(copy, sizeof copy, "%s/%s", to, names[i]);
        make_file(moment, path, copy, random);
    }
    for (size_t i = 0; i < moment; i++)
        if (moments[i].kind == KIND_MARK)
            reported = (uint32_t)moments[i].offset;
    return reported;
}
