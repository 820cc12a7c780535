/* Writes the reference page to standard output, or compares it with the file named. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "harness/config/config.h"

static int compare(const char *path, const char *text, size_t size)
{
    struct bp_buffer buffer;
    struct bp_error err;
    bp_buffer_init(&buffer, 1 << 20);
    if (bp_io_read_file(path, &buffer, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    bool same = buffer.size == size && memcmp(bp_buffer_text(&buffer), text, size) == 0;
    bp_buffer_free(&buffer);
    if (!same)
        fprintf(stderr, "%s is not what the schema says: run print_reference > %s\n", path, path);
    return !same;
}

int main(int argc, char **argv)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return 1;
    bp_config_print_reference(out);
    fclose(out);
    int status = argc > 1 ? compare(argv[1], text, size) : fwrite(text, 1, size, stdout) != size;
    free(text);
    return status;
}
