/* What errnos and signals are called, in any C library. */
#ifndef MSB_NAMES_H
#define MSB_NAMES_H

/* The errno's symbolic name ("ENOENT"), static, or NULL when it has none. */
const char *errno_name(int num);

/* The signal's name without SIG ("TERM"), static, or NULL for 0, 32 and above. */
const char *signal_name(int number);

#endif
