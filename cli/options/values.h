/* The values of options: signals, keys, limits, environment files. */
#ifndef MSB_VALUES_H
#define MSB_VALUES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/terminal/escape.h"
#include "shared/err.h"
#include "shared/wire/msg.h"

/* As options.h calls them: 0, or -errno with *err filled. */

/* TERM, SIGTERM, term or 15; 1 to 31: an int. */
int value_signal(const char *text, void *ret_signal, struct err *err);

/* A decimal number of bytes. 0, or -EINVAL with *err filled. */
int value_count(const char *text, uint64_t *ret_count, struct err *err);

/* ssh's notation: a character, ^X, or none, which is ESCAPE_OFF: an int. */
int value_escape_char(const char *text, void *ret_character, struct err *err);

/* docker's notation: characters and ctrl-X, with commas between; empty is no keys: struct escape_keys. */
int value_keys(const char *text, void *ret_keys, struct err *err);

/* A growing list of K=V, for the request; all strings are owned. */
struct env_list {
	char **entries;
	size_t count;
};

/* K=V, or K to copy the host's value; a K that the host has not is left out. */
int env_add(struct env_list *list, const char *entry, struct err *err);

/* docker's format: a line is taken literally, blank lines and those that begin with # are not. */
int env_add_file(struct env_list *list, const char *path, struct err *err);

bool env_has(const struct env_list *list, const char *key);
void env_release(struct env_list *list);

#endif
