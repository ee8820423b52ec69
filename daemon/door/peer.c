/* Who is at the other end: see peer.h. */
#include "peer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "shared/options.h"

int peer_allow_uid(const char *text, void *target, struct err *err)
{
	struct peer_rules *rules = target;
	unsigned long uid;

	if (rules->uid_count == PEER_NAMED_MAX)
		return err_set(err, 0, NULL, "more than %d uids", PEER_NAMED_MAX);
	if (options_number(text, 0, UINT32_MAX - 1, &uid, err) < 0)
		return -EINVAL;
	rules->uids[rules->uid_count++] = (uid_t)uid;
	return 0;
}

int peer_allow_cid(const char *text, void *target, struct err *err)
{
	struct peer_rules *rules = target;
	unsigned long cid;

	if (rules->cid_count == PEER_NAMED_MAX)
		return err_set(err, 0, NULL, "more than %d CIDs", PEER_NAMED_MAX);
	if (options_number(text, 0, UINT32_MAX - 1, &cid, err) < 0)
		return -EINVAL;
	rules->cids[rules->cid_count++] = (uint32_t)cid;
	return 0;
}

/* What one that is named has; NULL: it is not. */
static struct peer_use *find_named(const uint32_t *named, struct peer_use *use, size_t count,
				   uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (named[i] == id)
			return &use[i];
	return NULL;
}

/* Somebody on this machine. */
static int check_user(struct peer_rules *rules, int fd, struct peer *ret, struct err *err)
{
	struct ucred user;
	socklen_t len = sizeof(user);
	struct peer_use *use = NULL;
	bool trusted;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &user, &len) < 0)
		return err_set(err, errno, NULL, "cannot learn who connected");
	trusted = user.uid == 0 || user.uid == geteuid();
	if (!trusted)
		use = find_named(rules->uids, rules->uids_use, rules->uid_count, user.uid);
	if (!trusted && !use) {
		err_set(err, 0, NULL, "refused a connection of uid %u; --allow-uid lets it in",
			user.uid);
		return -EACCES;
	}
	*ret = (struct peer){.kind = PEER_USER,
			     .number = user.uid,
			     .trusted = trusted,
			     .use = use,
			     .pid = user.pid};
	snprintf(ret->name, sizeof(ret->name), "client %d", user.pid);
	return 0;
}

/*
 * Another machine, or this one over loopback. Nobody says which user of it: each machine is one
 * principal, and the host may do as it likes with its guest anyway.
 */
static int check_machine(struct peer_rules *rules, int fd, struct peer *ret, struct err *err)
{
	struct sockaddr_vm address = {.svm_family = AF_VSOCK};
	socklen_t len = sizeof(address);
	struct peer_use *use = NULL;
	bool is_host;

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0)
		return err_set(err, errno, NULL, "cannot learn who connected");
	is_host = address.svm_cid == VMADDR_CID_HOST;
	if (!is_host)
		use = find_named(rules->cids, rules->cids_use, rules->cid_count, address.svm_cid);
	if (!is_host && !use) {
		err_set(err, 0, NULL, "refused a connection of CID %u; --allow-cid lets it in",
			address.svm_cid);
		return -EACCES;
	}
	*ret = (struct peer){
		.trusted = is_host, .use = use, .cid = address.svm_cid, .port = address.svm_port};
	if (!is_host) {
		ret->kind = PEER_MACHINE;
		ret->number = address.svm_cid;
	}
	if (is_host)
		snprintf(ret->name, sizeof(ret->name), "host");
	else
		snprintf(ret->name, sizeof(ret->name), "machine %u", address.svm_cid);
	return 0;
}

int peer_check(struct peer_rules *rules, int fd, struct peer *ret, struct err *err)
{
	int family = AF_UNIX;
	socklen_t len = sizeof(family);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return err_set(err, errno, NULL, "cannot learn who connected");
	return family == AF_VSOCK ? check_machine(rules, fd, ret, err)
				  : check_user(rules, fd, ret, err);
}
