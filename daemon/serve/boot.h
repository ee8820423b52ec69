/*
 * What a host's core.bootstrap says about commands: defaults for what their requests leave open.
 * They hold for the whole guest, whoever asks for a command.
 */
#ifndef MSB_BOOT_H
#define MSB_BOOT_H

#include "daemon/spawn/spawn.h"
#include "shared/err.h"
#include "shared/wire/msg.h"

struct boot {
	struct spawn_config *config; /* borrowed: what is changed */
	struct spawn_config base;    /* as the command line has it; each bootstrap begins here */
	char *text;		     /* one block, as are the two below: what config points to */
	char **env;
	struct child_limit *limits;
};

/* config must be complete, and outlive *boot. */
void boot_init(struct boot *boot, struct spawn_config *config);
void boot_release(struct boot *boot);

/*
 * Applies all of it, or nothing: what is not understood must not end in a command with more
 * rights than the host meant. The stricter of its security profile and the command line's
 * holds. Consumes the lists. 0 with the user that commands run as by default, or -errno with *err
 * filled.
 */
int boot_apply(struct boot *boot, struct msg_bootstrap *bootstrap, struct msg_identity *ret_user,
	       struct err *err);

#endif
