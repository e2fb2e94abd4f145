/*
 * Keeps llama.cpp from copying its weights into memory in another order, which its Node binding has no option for: with
 * the copy it needs 2.1 GB for the model that is to run in 1 GiB, and its mapping is not used. Preloaded before llama.cpp v0.5.0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct llama_model_params {
    void *pointers_before[2];
    int32_t numbers[5];
    void *pointers[4];
    bool vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc, load_mtp;
};

static int find(struct dl_phdr_info *info, size_t size, void *path) {
    (void)size;
    if (!strstr(info->dlpi_name, "/libllama."))
        return 0;
    *(const char **)path = info->dlpi_name;
    return 1;
}

struct llama_model_params llama_model_default_params(void) {
    const char *path = NULL;
    void *library = dl_iterate_phdr(find, &path) ? dlopen(path, RTLD_NOLOAD | RTLD_LAZY) : NULL;
    struct llama_model_params (*original)(void) = library ? (struct llama_model_params (*)(void))dlsym(library, "llama_model_default_params") : NULL;
    if (!original)
        abort();
    struct llama_model_params params = original();
    params.use_extra_bufts = false;
    return params;
}
