#include "evaluator/gpu_object.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "evaluator/amd_metadata.h"
#include "evaluator/profile.h"

#define MACHINE_AMDGPU 224 /* newer than some C libraries' elf.h */

static bool fits(uint64_t offset, uint64_t size, size_t bytes)
{
    return offset <= bytes && size <= bytes - offset;
}

/* Libraries believe what the header of an object says: libamdhip64 5.2 crashes where it is wrong. */
static bool is_object(enum bp_gpu_kind kind, const void *image, size_t bytes)
{
    static const Elf64_Half machines[BP_GPU_KIND_COUNT] = {
        [BP_GPU_AMD] = MACHINE_AMDGPU, [BP_GPU_NVIDIA] = EM_CUDA};
    Elf64_Ehdr header;
    if (bytes < sizeof header)
        return false;
    memcpy(&header, image, sizeof header);
    return memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
           header.e_machine == machines[kind] &&
           (header.e_phnum == 0 || header.e_phentsize == sizeof(Elf64_Phdr)) &&
           header.e_shentsize == sizeof(Elf64_Shdr) &&
           fits(header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr), bytes) &&
           fits(header.e_shoff, (uint64_t)header.e_shnum * sizeof(Elf64_Shdr), bytes) &&
           header.e_shstrndx < header.e_shnum;
}

/* ---- calls of the host ---- */

struct vetting {
    const struct bp_amd_comgr *comgr;
    char kernel[BP_PROFILE_NAME], asked[64]; /* the first that asks, and for what; empty: none */
};

/* Of the arguments that the runtime gives a kernel unasked, those through which it talks to the host:
 * llvm.org/docs/AMDGPUUsage.html, "value_kind". */
static bool look_at_argument(struct bp_amd_handle argument, void *context)
{
    static const char *const talkative[] = {"hidden_hostcall_buffer", "hidden_printf_buffer"};
    struct vetting *vetting = context;
    char kind[64];
    if (!bp_amd_text_of(vetting->comgr, argument, ".value_kind", kind, sizeof kind))
        return true;
    for (size_t i = 0; i < sizeof talkative / sizeof *talkative; i++)
        if (strcmp(kind, talkative[i]) == 0)
            snprintf(vetting->asked, sizeof vetting->asked, "%s", kind);
    return !vetting->asked[0];
}

static bool look_at_kernel(struct bp_amd_handle kernel, void *context)
{
    struct vetting *vetting = context;
    bp_amd_each(vetting->comgr, kernel, ".args", look_at_argument, vetting);
    if (!vetting->asked[0])
        return true;
    if (!bp_amd_text_of(vetting->comgr, kernel, ".name", vetting->kernel, sizeof vetting->kernel))
        snprintf(vetting->kernel, sizeof vetting->kernel, "a kernel");
    return false;
}

static int look(void *library, const void *image, size_t bytes, struct vetting *vetting,
                struct bp_error *err)
{
    struct bp_amd_comgr comgr;
    struct bp_amd_handle data;
    *vetting = (struct vetting){.comgr = &comgr};
    if (bp_amd_comgr_find(library, &comgr, err) < 0 ||
        bp_amd_data_create(&comgr, image, bytes, &data, err) < 0)
        return -1;
    int done = bp_amd_each_kernel(&comgr, data, look_at_kernel, vetting, err);
    comgr.release_data(data);
    return done;
}

static enum bp_verdict check_amd(void *library, const void *image, size_t bytes,
                                 char message[BP_TEXT_LINE])
{
    struct vetting vetting;
    struct bp_error err;
    if (look(library, image, bytes, &vetting, &err) < 0) {
        snprintf(message, BP_TEXT_LINE, "loading the object: %s", err.msg);
        return BP_VERDICT_LAUNCH_ERROR;
    }
    if (!vetting.asked[0])
        return BP_VERDICT_PASS;
    snprintf(message, BP_TEXT_LINE,
             "%s asks for calls of the host (%s), as printf, assert and malloc on the device do",
             vetting.kernel, vetting.asked);
    return BP_VERDICT_LAUNCH_ERROR;
}

enum bp_verdict bp_gpu_object_check(const struct bp_gpu_api *api, const void *image, size_t bytes,
                                    char message[BP_TEXT_LINE])
{
    if (!is_object(api->kind, image, bytes)) {
        snprintf(message, BP_TEXT_LINE, "loading the object: it is none for a GPU of this vendor");
        return BP_VERDICT_LAUNCH_ERROR;
    }
    return api->kind == BP_GPU_AMD ? check_amd(api->comgr, image, bytes, message) : BP_VERDICT_PASS;
}
