/* Telling systemd how we are. */
#ifndef MSB_NOTIFY_H
#define MSB_NOTIFY_H

/* Sends state ("READY=1") to $NOTIFY_SOCKET; nothing happens without one. */
void notify_systemd(const char *state);

#endif
