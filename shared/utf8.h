/* UTF-8: text on the wire is that, and nothing else. */
#ifndef MSB_UTF8_H
#define MSB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether len bytes are well-formed UTF-8: no overlong form, no surrogate, nothing past U+10FFFF.
 */
bool utf8_valid(const void *text, size_t len);

/*
 * The character that text begins with: how many bytes it has; 0 if there is none, or not all of it. ret_c may be
 * NULL.
 */
size_t utf8_char(const void *text, size_t len, uint32_t *ret_c);

/* How many of the last bytes, 3 at most, begin a character whose rest may follow. */
size_t utf8_begun(const void *text, size_t len);

/* Makes it so: each byte that is not part of a well-formed sequence becomes a question mark. */
void utf8_scrub(char *text, size_t len);

#endif
