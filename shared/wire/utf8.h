/* Text on the wire is UTF-8, nothing else. */
#ifndef MSB_UTF8_H
#define MSB_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether len bytes are well-formed UTF-8: no overlong form, no surrogate, nothing past U+10FFFF.
 */
bool utf8_valid(const void *text, size_t len);

/* Makes it so: each byte that is not part of a well-formed sequence becomes a question mark. */
void utf8_scrub(char *text, size_t len);

#endif
