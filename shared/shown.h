/*
 * Text that others said, as people are shown it: whatever could drive a terminal, turn what stands beside it
 * around, or be there unseen is written as its number, and so is what is no UTF-8. Pure.
 */
#ifndef MSB_SHOWN_H
#define MSB_SHOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHOWN_MAX 12 /* bytes that one character may become, with a NUL */

/* Control characters, those that turn the direction of text, and those that take no room. */
bool shown_is_control(uint32_t c);

/* The next character of text, of which there is one: how it is shown, terminated, and of how many bytes it is. */
size_t shown_next(const char *text, size_t len, char out[SHOWN_MAX]);

/* All of it, terminated; no more of it than fits, and no part of a character. Returns how long it is. */
size_t shown_put(char *out, size_t size, const char *text, size_t len);

#endif
