#include "harness/report/bundle_pack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/cleanup.h"
#include "base/io.h"

#define MAX_ENTRIES 32
#define PACKED_MAX_BYTES (192ll << 20)

/* ---- packing ---- */

static int fail_archive(struct archive *archive, const char *what, struct bp_error *err)
{
    const char *text = archive_error_string(archive);
    return bp_fail(err, BP_ERR_SYSTEM, "%s: %.200s", what, text ? text : "unknown error");
}

static int add_file(struct archive *archive, const struct bp_bundle_row *row,
                    const struct bp_buffer *bytes, struct bp_error *err)
{
    struct archive_entry *entry = archive_entry_new();
    if (!entry)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for %s", row->name);
    archive_entry_set_pathname(entry, row->name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, row->secret ? 0600 : 0644);
    archive_entry_set_size(entry, (la_int64_t)bytes->size);
    int result = 0;
    if (archive_write_header(archive, entry) != ARCHIVE_OK ||
        (bytes->size > 0 &&
         archive_write_data(archive, bytes->data, bytes->size) != (la_ssize_t)bytes->size))
        result = fail_archive(archive, row->name, err);
    archive_entry_free(entry);
    return result;
}

static int add_files(struct archive *archive, int dir, const char *path, struct bp_error *err)
{
    for (int i = 0; i < BP_BUNDLE_FILES; i++) {
        const struct bp_bundle_row *row = &bp_bundle_rows[i];
        struct bp_buffer bytes;
        bp_buffer_init(&bytes, row->max_bytes);
        int got = bp_bundle_read_file(dir, row, &bytes, err);
        if (got == 0 && row->needed)
            got = bp_fail(err, BP_ERR_USAGE, "%.200s is no bundle: %s is missing", path, row->name);
        if (got > 0 && add_file(archive, row, &bytes, err) < 0)
            got = -1;
        bp_buffer_free(&bytes);
        if (got < 0)
            return -1;
    }
    return 0;
}

static int pack(int dir, const char *path, int fd, struct bp_error *err)
{
    struct archive *archive = archive_write_new();
    if (!archive)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an archive");
    int result = 0;
    /* No time stamp in the gzip header: the same bundle packs to the same bytes. */
    if (archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
        archive_write_add_filter_gzip(archive) != ARCHIVE_OK ||
        archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) != ARCHIVE_OK ||
        archive_write_open_fd(archive, fd) != ARCHIVE_OK)
        result = fail_archive(archive, "cannot pack", err);
    if (result == 0)
        result = add_files(archive, dir, path, err);
    if (archive_write_close(archive) != ARCHIVE_OK && result == 0)
        result = fail_archive(archive, "cannot pack", err);
    archive_write_free(archive);
    return result;
}

int bp_bundle_pack(const char *path, const char *file, struct bp_error *err)
{
    char temporary[4096];
    struct bp_saved bundle;
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.tmp", file) >= sizeof temporary)
        return bp_fail(err, BP_ERR_USAGE, "path too long: %.200s", file);
    /* What could not be replayed is not worth sending. */
    if (bp_bundle_read(path, &bundle, err) < 0)
        return -1;
    bp_bundle_free(&bundle);
    BP_AUTO_FD int dir = bp_bundle_open(path, err);
    if (dir < 0)
        return -1;
    BP_AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        bp_fail_errno(err, "cannot create %.200s", temporary);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    int result = pack(dir, path, fd, err);
    if (result == 0 && (fsync(fd) < 0 || rename(temporary, file) < 0))
        result = bp_fail_errno(err, "cannot write %.200s", file);
    if (result < 0)
        unlink(temporary);
    return result;
}

/* ---- unpacking ---- */

static int refuse(const char *file, const char *what, struct bp_error *err)
{
    return bp_fail(err, BP_ERR_USAGE, "%.200s is no packed bundle: %.200s", file, what);
}

static int read_entry(const char *file, struct archive *archive, struct bp_buffer *bytes,
                      struct bp_error *err)
{
    char chunk[65536];
    for (;;) {
        la_ssize_t got = archive_read_data(archive, chunk, sizeof chunk);
        if (got == 0)
            return 0;
        if (got < 0)
            return refuse(file, "it is damaged", err);
        if (bp_buffer_add(bytes, chunk, (size_t)got, err) < 0)
            return refuse(file, "a file in it is too large", err);
    }
}

/* Only plain files, only known names (so no directory, no "..", nothing absolute), each once. */
static int take_entry(const char *file, struct archive *archive, struct archive_entry *entry,
                      bool seen[BP_BUNDLE_FILES], struct bp_buffer *contents, struct bp_error *err)
{
    const char *name = archive_entry_pathname(entry);
    const struct bp_bundle_row *row = name ? bp_bundle_row(name) : NULL;
    if (!row || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
        archive_entry_symlink(entry))
        return refuse(file, "it holds something that is no file of a bundle", err);
    int index = (int)(row - bp_bundle_rows);
    if (seen[index])
        return refuse(file, "it holds a file twice", err);
    seen[index] = true;
    if (!archive_entry_size_is_set(entry) || archive_entry_size(entry) < 0 ||
        (uint64_t)archive_entry_size(entry) > row->max_bytes)
        return refuse(file, "a file in it is too large", err);
    return row->needed ? read_entry(file, archive, &contents[index], err) : 0;
}

static int take_entries(const char *file, struct archive *archive, struct bp_buffer *contents,
                        struct bp_error *err)
{
    bool seen[BP_BUNDLE_FILES] = {false};
    struct archive_entry *entry;
    for (int count = 0;; count++) {
        int got = archive_read_next_header(archive, &entry);
        if (got == ARCHIVE_EOF)
            return 0;
        if (got != ARCHIVE_OK || count == MAX_ENTRIES)
            return refuse(file, "it is damaged", err);
        if (take_entry(file, archive, entry, seen, contents, err) < 0)
            return -1;
    }
}

static int open_packed(const char *file, struct bp_error *err)
{
    struct stat info;
    BP_AUTO_FD int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &info) < 0) {
        bp_fail_errno(err, "cannot read %.200s", file);
        err->code = BP_ERR_USAGE;
        return -1;
    }
    if (!S_ISREG(info.st_mode) || info.st_size > PACKED_MAX_BYTES)
        return refuse(file, "not a regular file of at most 192 MiB", err);
    return bp_steal_fd(&fd);
}

int bp_bundle_unpack(const char *file, struct bp_buffer contents[BP_BUNDLE_FILES],
                     struct bp_error *err)
{
    BP_AUTO_FD int fd = open_packed(file, err);
    if (fd < 0)
        return -1;
    struct archive *archive = archive_read_new();
    if (!archive)
        return bp_fail(err, BP_ERR_MEMORY, "no memory for an archive");
    int result;
    if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
        archive_read_support_format_tar(archive) != ARCHIVE_OK ||
        archive_read_open_fd(archive, fd, 65536) != ARCHIVE_OK)
        result = refuse(file, "neither a directory nor what export writes", err);
    else
        result = take_entries(file, archive, contents, err);
    archive_read_free(archive);
    return result;
}
