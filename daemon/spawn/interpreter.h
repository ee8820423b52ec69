/*
 * What a program's file says it is run by: the name behind a script's #!, or the loader of an ELF
 * program. Pure.
 */
#ifndef MSB_INTERPRETER_H
#define MSB_INTERPRETER_H

#include <stddef.h>

/*
 * From how the file begins. out gets the name, always terminated, what drives a terminal in it and all;
 * empty where the beginning tells of none. Returns out.
 */
const char *interpreter_of(const unsigned char *head, size_t len, char *out, size_t out_len);

#endif
