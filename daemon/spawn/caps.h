/* The security profiles: what a command may not have. */
#ifndef MSB_CAPS_H
#define MSB_CAPS_H

#include "child.h"

/* "default" or "restricted" to its preparation; 0, -EINVAL for another word, or -errno. */
int caps_prepare(const char *profile, struct child_caps *ret);

#endif
