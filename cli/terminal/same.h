/* Whether what is written to two descriptors comes out in one order. */
#ifndef MSB_SAME_H
#define MSB_SAME_H

#include <stdbool.h>

/*
 * The same pipe, socket or terminal, the same open file, or one file to whose end both append. Of another
 * file that was opened twice each has a place of its own, so that it is not the same. Never blocks.
 */
bool same_open_file(int a, int b);

#endif
