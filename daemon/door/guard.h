/* What a daemon keeps from the commands that run as its own user. */
#ifndef MSB_GUARD_H
#define MSB_GUARD_H

/*
 * Lets nobody of our own uid look into our memory or take our descriptors, by ptrace(2), /proc/PID/mem or
 * /proc/PID/fd: whoever may do that is us. A child has it too, until its exec. Our files in /proc are
 * root's from then on, and we dump no core. Call first of all.
 */
void guard_memory(void);

#endif
