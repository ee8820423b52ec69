/*
 * One failure: where it happened (stage), why (errno) and to what (text). Filled where the
 * failure happens; turned into words in one place, err_words().
 */
#ifndef MSB_ERR_H
#define MSB_ERR_H

#include <stddef.h>

#define ERR_TEXT_MAX 512

struct err {
	int num;		 /* a positive errno value, or 0 when no system call failed */
	const char *stage;	 /* the step, a string with static lifetime, or NULL */
	char text[ERR_TEXT_MAX]; /* the thing that failed; cut, never overrun */
};

/* Fills *err and returns -num, or -EINVAL when num is 0, so that callers can return it. */
int err_set(struct err *err, int num, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Writes "text: what the errno means" to out, at most len bytes, always terminated. Returns out. */
const char *err_words(const struct err *err, char *out, size_t len);

#endif
