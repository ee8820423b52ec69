/*
 * msb-relayd's main: one guest's byte stream on one side, clients on the other, and the way down.
 * Runs in the foreground until SIGTERM or SIGINT.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "daemon/door/guard.h"
#include "daemon/door/listen.h"
#include "daemon/door/notify.h"
#include "daemon/door/passed.h"
#include "daemon/door/signals.h"
#include "relay.h"
#include "settings.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/version.h"

#define LAST_FLUSH_MS 10 /* how often, and how many times, to offer the last frames */
#define LAST_FLUSHES  50

struct relayd {
	struct loop loop;
	struct relay_settings settings;
	struct relay relay;
	struct listen_host listen;
	bool ending;
	bool failed;
	struct loop_timer last_flush;
	int flushes;
};

static void on_last_flush(struct loop_timer *timer)
{
	struct relayd *relayd = container_of(timer, struct relayd, last_flush);

	if (relay_flush(&relayd->relay) == 0 || ++relayd->flushes == LAST_FLUSHES)
		loop_stop(&relayd->loop);
	else
		loop_arm(&relayd->loop, timer, LAST_FLUSH_MS);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct relayd *relayd = container_of(loop, struct relayd, loop);

	if (relayd->ending) {
		loop_stop(loop);
		return;
	}
	relayd->ending = true;
	log_info("ending: %s", strsignal(signal->number));
	listen_close_all(&relayd->listen);
	relay_end(&relayd->relay, "the relay ends");
	loop_arm(loop, &relayd->last_flush, 0);
}

static bool make_room(struct listen_host *listen, const struct peer_use *of)
{
	return relay_clients_make_room(&container_of(listen, struct relayd, listen)->relay.clients,
				       of);
}

static void on_client(struct listen_host *listen, int fd, const struct peer *peer)
{
	struct relayd *relayd = container_of(listen, struct relayd, listen);

	relay_open(&relayd->relay, fd, peer);
}

static void on_wrong(struct relay_agent *agent, const char *why)
{
	struct relayd *relayd = container_of(agent, struct relayd, relay.agent);

	log_error("%s: %s", agent->name, why);
	relayd->failed = true;
	loop_stop(&relayd->loop);
}

static int start(struct relayd *relayd, int passed, struct err *err)
{
	struct relay *relay = &relayd->relay;
	int r = loop_init(&relayd->loop);

	if (r == 0)
		r = signals_set(&relayd->loop, on_signal);
	relay->loop = &relayd->loop;
	relay->agent.endpoint = &relayd->settings.agent;
	endpoint_name(&relayd->settings.agent, relay->agent.name, sizeof(relay->agent.name));
	relay->agent.on_wrong = on_wrong;
	if (!relayd->settings.no_bootstrap)
		relay->agent.bootstrap = &relayd->settings.bootstrap;
	relayd->last_flush.on_due = on_last_flush;
	relayd->listen.loop = &relayd->loop;
	relayd->listen.rules = &relayd->settings.allow;
	relayd->listen.taken = &relay->clients.count;
	relayd->listen.budget = relay->clients.budget = &relayd->settings.budget;
	relay->clients.spare.limit = budget_memory(&relayd->settings.budget);
	relayd->listen.make_room = make_room;
	relayd->listen.on_client = on_client;
	if (r < 0)
		return err_set(err, -r, NULL, "cannot set up the event loop");
	relay_start(relay);
	if (passed_listen(&relayd->listen, passed, err) < 0)
		return -1;
	for (size_t i = 0; i < relayd->settings.listen_count; i++)
		if (listen_open(&relayd->listen, &relayd->settings.listen[i], err) < 0)
			return -1;
	return 0;
}

int main(int argc, char *argv[])
{
	static struct relayd relayd = {.loop = {.epoll_fd = -1, .signal_fd = -1}};
	struct err err;
	int passed, r;

	guard_memory();
	fd_open_standard();
	log_init("msb-relayd", LOG_LEVEL_WARN);
	passed = passed_take(&err);
	if (passed < 0) {
		log_err(&err);
		return 1;
	}
	if (relay_settings_parse(argc, argv, passed > 0, &relayd.settings, &err) < 0) {
		log_err(&err);
		return 2;
	}
	if (relayd.settings.help) {
		relay_settings_help();
		return log_flushed_stdout() ? 0 : 1;
	}
	if (relayd.settings.version) {
		puts("msb-relayd " MSB_EXEC_VERSION);
		return log_flushed_stdout() ? 0 : 1;
	}
	log_init("msb-relayd", relayd.settings.log_level);
	log_never_wait();
	budget_return_memory();
	r = start(&relayd, passed, &err);
	if (r < 0) {
		log_err(&err);
	} else {
		notify_systemd("READY=1");
		r = loop_run(&relayd.loop);
	}
	listen_close_all(&relayd.listen);
	relay_stop(&relayd.relay);
	log_rates_end();
	loop_release(&relayd.loop);
	return r < 0 || relayd.failed ? 1 : 0;
}
