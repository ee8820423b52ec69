/*
 * One failure: where it happened (stage), why (errno), to what (text), and the way out if there is
 * one (hint). Filled where the failure happens; turned into words in one place, err_words(), and said
 * with log_err().
 */
#ifndef MSB_ERR_H
#define MSB_ERR_H

#include <stddef.h>

#define ERR_TEXT_MAX 512
#define ERR_HINT_MAX 256

struct err {
	int num;		 /* a positive errno value, or 0 when no system call failed */
	const char *stage;	 /* the step, a string with static lifetime, or NULL */
	char text[ERR_TEXT_MAX]; /* the thing that failed; cut, never overrun */
	char hint[ERR_HINT_MAX]; /* a line of its own, or empty */
};

/* Fills *err, without a hint, and returns -num, or -EINVAL when num is 0, so that callers can return it. */
int err_set(struct err *err, int num, const char *stage, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Says what to do about it; returns what err_set() did. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts what it was about, an option or a variable, in front: "--timeout: ...". Returns the same. */
int err_about(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes "text: what the errno means" to out, at most len bytes, always terminated. Returns out. */
const char *err_words(const struct err *err, char *out, size_t len);

/* The same in one line with what to do about it: "text: what the errno means; hint". Returns out. */
const char *err_sentence(const struct err *err, char *out, size_t len);

#endif
