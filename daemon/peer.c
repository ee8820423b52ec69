/* Who is at the other end: see peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int parse_number(const char *text, unsigned long max, unsigned long *ret, struct err *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || *ret > max)
		return err_set(err, 0, NULL, "%s is not a number up to %lu", text, max);
	return 0;
}

int peer_allow_uid(struct peer_rules *rules, const char *text, struct err *err)
{
	unsigned long uid;

	if (rules->uid_count == PEER_NAMED_MAX)
		return err_set(err, 0, NULL, "more than %d uids", PEER_NAMED_MAX);
	if (parse_number(text, UINT32_MAX - 1, &uid, err) < 0)
		return -EINVAL;
	rules->uids[rules->uid_count++] = (uid_t)uid;
	return 0;
}

static bool is_named(const struct peer_rules *rules, uid_t uid)
{
	for (size_t i = 0; i < rules->uid_count; i++)
		if (rules->uids[i] == uid)
			return true;
	return false;
}

int peer_check(const struct peer_rules *rules, int fd, struct peer *ret, struct err *err)
{
	struct ucred user;
	socklen_t len = sizeof(user);
	bool trusted;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &len) < 0)
		return err_set(err, errno, NULL, "cannot learn who connected");
	trusted = user.uid == 0 || user.uid == geteuid();
	if (!trusted && !is_named(rules, user.uid)) {
		err_set(err, 0, NULL, "refused a connection of uid %u; --allow-uid lets it in",
			user.uid);
		return -EACCES;
	}
	*ret = (struct peer){.uid = user.uid, .pid = user.pid, .trusted = trusted};
	snprintf(ret->name, sizeof(ret->name), "client %d", user.pid);
	return 0;
}
