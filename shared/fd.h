/* File descriptors that are close-on-exec from birth and close themselves. */
#ifndef MSB_FD_H
#define MSB_FD_H

#include <stdbool.h>

/* Declares a local that is closed when it goes out of scope: cleanup_fd int fd = -1; */
#define cleanup_fd __attribute__((cleanup(fd_cleanup)))
void fd_cleanup(int *fd);

/* Hands the descriptor over: returns *fd and leaves -1 behind. */
int fd_steal(int *fd);

/* Closes *fd if it is open and sets it to -1. */
void fd_close(int *fd);

/*
 * Makes sure that 0, 1 and 2 are open, on /dev/null where they were not: an input at its end, an output
 * that cannot be written (EBADF, as if it were still closed), and an end for lines that nobody reads. 0
 * or -errno.
 */
int fd_open_standard(void);

/* /dev/null, or what is as empty where there is none. A new fd that the caller closes, or -errno. */
int fd_open_null(int flags);

#define FD_SCARCE 32 /* two or three commands at their start, and connections */

/* Whether fewer than so many more descriptors could be opened. */
bool fd_is_scarce(void);

/* Sets O_NONBLOCK on an fd whose description nobody else shares. 0 or -errno. */
int fd_set_nonblock(int fd);

/* Whether fd is a socket, so that MSG_DONTWAIT serves where O_NONBLOCK would be shared. */
bool fd_is_socket(int fd);

/*
 * Opens the pipe or terminal behind fd once more, non-blocking, so that the inherited
 * description keeps its flags. flags: O_RDONLY or O_WRONLY. Returns a new fd that the caller
 * closes, or -errno.
 */
int fd_reopen_nonblock(int fd, int flags);

#endif
