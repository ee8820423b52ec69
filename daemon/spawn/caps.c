/*
 * The security profiles. What a child has to give up is worked out here, in the daemon, whose
 * capabilities the child starts with; the giving up itself is the child's.
 *
 * restricted keeps a non-root command from mounting and from the rest of CAP_SYS_ADMIN in the
 * initial namespaces. It is no wall around root, and forbids nobody a user namespace.
 */
#include "caps.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int caps_prepare(const char *profile, struct child_caps *ret)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct *word;
	uint32_t bit = CAP_TO_MASK(CAP_SYS_ADMIN);

	*ret = (struct child_caps){0};
	if (strcmp(profile, "default") == 0)
		return 0;
	if (strcmp(profile, "restricted") != 0)
		return -EINVAL;
	if (syscall(SYS_capget, &header, ret->sets) < 0)
		return -errno;
	word = &ret->sets[CAP_TO_INDEX(CAP_SYS_ADMIN)];
	ret->had_sys_admin = (word->effective | word->permitted | word->inheritable) & bit;
	word->effective &= ~bit;
	word->permitted &= ~bit;
	word->inheritable &= ~bit;
	ret->restricted = true;
	return 0;
}
