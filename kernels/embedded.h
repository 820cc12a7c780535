/* embedded.h: project files carried inside the binaries, so that an installed one needs no path. */
#ifndef BP_KERNELS_EMBEDDED_H
#define BP_KERNELS_EMBEDDED_H

#include <stddef.h>

/* The naive three-pass kernel (kernels/seeds/eager.hip): the row every speed-up divides by. */
extern const char bp_seed_eager[];
extern const size_t bp_seed_eager_size;

#endif
