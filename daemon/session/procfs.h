/* What is known of a process from outside. Nothing here fails: what cannot be read is empty. */
#ifndef MSB_PROCFS_H
#define MSB_PROCFS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Processor time of one that lives, and of the children it waited for. */
uint64_t procfs_cpu_us(pid_t pid);

/* Its command line as it shows it by now, in room: how many words, at most max. */
size_t procfs_command(pid_t pid, char *room, size_t room_len, char **ret_argv, size_t max);

/* The user's name, or the number. */
void procfs_user(uid_t uid, char *room, size_t room_len);

#endif
