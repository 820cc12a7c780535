#include "harness/store/fault_vfs.h"

#include <sqlite3.h>
#include <string.h>

#include "base/fault.h"

#define NAME "bulletproof-faults"

/* The real file lies right behind. */
struct shim {
    sqlite3_file base;
    sqlite3_file *real;
    int flags; /* it was opened with */
};

static sqlite3_vfs *real_vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *data, int bytes, sqlite3_int64 offset)
{
    int code = real_of(file)->pMethods->xRead(real_of(file), data, bytes, offset);
    /* A log read as garbage would be copied into the database: that nobody survives. */
    bool is_database = ((struct shim *)file)->flags & SQLITE_OPEN_MAIN_DB;
    if (code == SQLITE_OK && is_database && bp_fault(BP_FAULT_sqlite_corrupt))
        memset(data, 0x5a, (size_t)bytes);
    return code;
}

static int shim_write(sqlite3_file *file, const void *data, int bytes, sqlite3_int64 offset)
{
    if (bp_fault(BP_FAULT_sqlite_full))
        return SQLITE_FULL;
    if (bp_fault(BP_FAULT_sqlite_error))
        return SQLITE_IOERR_WRITE;
    return real_of(file)->pMethods->xWrite(real_of(file), data, bytes, offset);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    if (bp_fault(BP_FAULT_sqlite_sync))
        return SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int shim_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_check_lock(sqlite3_file *file, int *reserved)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), reserved);
}

static int shim_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int shim_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int bytes, int extend, void volatile **at)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, bytes, extend, at);
}

/* With a write-ahead log the writers' lock is one of these. */
static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    int taking = SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE;
    if ((flags & taking) == taking && bp_fault(BP_FAULT_sqlite_busy))
        return SQLITE_BUSY;
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

/* Version 2: no memory-mapped reads, which would go past shim_read. */
static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_file_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_check_lock,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given)
{
    struct shim *shim = (struct shim *)file;
    (void)vfs;
    shim->real = (sqlite3_file *)(shim + 1);
    int code = real_vfs->xOpen(real_vfs, name, shim->real, flags, given);
    shim->flags = flags;
    shim->base.pMethods = shim->real->pMethods ? &methods : NULL;
    return code;
}

/* Over whatever is the default now: a test may have put a layer of its own there. */
const char *bp_fault_vfs(void)
{
    static sqlite3_vfs vfs;
    sqlite3_vfs *below = sqlite3_vfs_find(NULL);
    if (!below)
        return NULL;
    if (below == real_vfs)
        return NAME;
    if (real_vfs)
        sqlite3_vfs_unregister(&vfs);
    real_vfs = NULL;
    vfs = *below;
    vfs.zName = NAME;
    vfs.szOsFile = (int)sizeof(struct shim) + below->szOsFile;
    vfs.xOpen = shim_open;
    vfs.pNext = NULL;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        return NULL;
    real_vfs = below;
    return NAME;
}
