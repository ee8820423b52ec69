/*
 * The guest bundle's msb-execd: starts the program beside it with the loader and the libraries
 * beside it, in a root that may hold nothing else: no shell, no /proc, no libc. Linked statically.
 *
 * LOADER_OPTIONS is what the bundle's loader understands (bundle.sh asks it): strings, each
 * followed by a comma.
 */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

struct bundle {
	/* This file too is called msb-execd: ps and top show the name of what was executed. */
	char loader[PATH_MAX];
	char program[PATH_MAX];
	char library[PATH_MAX];
};

static bool beside(char *ret, const char *folder, const char *name)
{
	return snprintf(ret, PATH_MAX, "%s/%s", folder, name) < PATH_MAX;
}

/* Whether the bundle is where this name of ours, its links followed, says. */
static bool find(struct bundle *ret, const char *name)
{
	char folder[PATH_MAX];

	/* Without a slash it was found in PATH, and says nothing. */
	if (!name || !strchr(name, '/') || !realpath(name, folder))
		return false;
	*strrchr(folder, '/') = '\0';
	return beside(ret->loader, folder, "lib/loader/msb-execd") &&
	       beside(ret->program, folder, "lib/msb-execd") &&
	       beside(ret->library, folder, "lib") && access(ret->loader, X_OK) == 0;
}

/* Returns only if it fails, with errno set. */
static void run(const struct bundle *bundle, char **argv, size_t argc)
{
	const char *const options[] = {"msb-execd", LOADER_OPTIONS "--library-path",
				       bundle->library, bundle->program};
	const size_t count = sizeof(options) / sizeof(options[0]);
	char **args = calloc(count + argc + 1, sizeof(*args));

	if (!args)
		return;
	memcpy(args, options, sizeof(options));
	for (size_t i = 1; i < argc; i++)
		args[count + i - 1] = argv[i];
	execve(bundle->loader, args, environ);
	free(args);
}

int main(int argc, char **argv)
{
	/* What the kernel was asked to execute needs no /proc; argv[0] is only the caller's word. */
	const char *asked = (const char *)getauxval(AT_EXECFN);
	struct bundle bundle;

	if (!find(&bundle, asked) && !find(&bundle, argc ? argv[0] : NULL) &&
	    !find(&bundle, "/proc/self/exe")) {
		fprintf(stderr,
			"msb-execd: cannot find lib/loader/msb-execd beside %s: %s\n"
			"msb-execd: the folder of the guest bundle must stay together\n",
			asked ? asked : "this program", strerror(errno));
		return 1;
	}
	run(&bundle, argv, (size_t)argc);
	fprintf(stderr, "msb-execd: cannot run %s: %s\n", bundle.loader, strerror(errno));
	return 1;
}
