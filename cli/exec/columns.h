/* Text in the columns of a table on stdout. */
#ifndef MSB_COLUMNS_H
#define MSB_COLUMNS_H

#include <stddef.h>
#include <stdio.h>

/* Of the terminal that stdout is, or 0: nothing is to be cut. */
size_t columns_of_terminal(void);

/*
 * How wide it is in a terminal: what is not ASCII is taken for so many columns, two where it must not be wider, since no
 * table of ours knows better, and one where it should be as wide.
 */
size_t columns_width(const char *text, size_t of_others);

/* The text, or what fits of it with dots behind. */
void columns_put_cut(const char *text, size_t width, FILE *out);

#endif
