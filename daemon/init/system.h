/*
 * What process 1 finds missing in a bare system: file systems, the console, the loopback, a PATH.
 * What is there is left alone, and what is not allowed, in a container, is done without.
 */
#ifndef MSB_INIT_SYSTEM_H
#define MSB_INIT_SYSTEM_H

void init_system_prepare(void);

#endif
