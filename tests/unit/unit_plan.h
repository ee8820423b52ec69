/*
 * From a request to what a command will start with, over the wire as in the daemon. For one source
 * file of a program; passwd and group are those of unit_files.h.
 */
#ifndef MSB_UNIT_PLAN_H
#define MSB_UNIT_PLAN_H

#include "daemon/spawn/environ.h"
#include "daemon/spawn/plan.h"
#include "unit.h"
#include "unit_files.h"

#define TEXT(literal) ((struct msg_text){literal, sizeof(literal) - 1})

/* A request on its way over the wire, and what was made of it. */
struct planned {
	struct buf wire;
	struct spawn_plan *plan; /* NULL: it failed */
	struct spawn_failure failure;
	int result;
};

static inline struct planned plan(const struct spawn_config *config,
				  const struct msg_exec_request *asked)
{
	static char *const none[] = {NULL};
	/* Plans point into it. */
	static struct spawn_config defaults;
	struct msg_exec_request request;
	struct msg_envelope envelope;
	struct planned planned;
	struct frame frame;

	defaults = config ? *config : (struct spawn_config){.user = NULL};
	if (!defaults.env)
		defaults.env = (char **)none;
	buf_init(&planned.wire, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put(&planned.wire, 1, MSG_EXEC_REQUEST, asked), 0);
	envelope = unit_open(&planned.wire, &frame);
	assert_int_equal(msg_decode(MSG_EXEC_REQUEST, envelope.payload, &request), 0);
	planned.plan = spawn_plan_new(&defaults, &request, &planned.failure);
	planned.result = planned.plan ? 0 : -1;
	/* What points into the wire must have been copied by now. */
	memset(envelope.payload.ptr, 0xff, envelope.payload.len);
	return planned;
}

static inline void forget(struct planned *planned)
{
	spawn_plan_free(planned->plan);
	buf_release(&planned->wire);
}

/* The wire carries UTF-8 alone, and words that were cut inside a character reach nobody. */
static inline void assert_reaches_the_client(const struct spawn_failure *failure)
{
	struct msg_envelope envelope;
	struct msg_exec_failed failed;
	struct frame frame;
	struct buf wire;

	buf_init(&wire, FRAME_WIRE_MAX, NULL);
	assert_int_equal(msg_put_exec_failed(&wire, 1, failure->kind, failure->num,
					     failure->message, failure->stage),
			 0);
	envelope = unit_open(&wire, &frame);
	assert_int_equal(msg_decode(MSG_EXEC_FAILED, envelope.payload, &failed), 0);
	assert_int_equal(msg_failure_parse(failed.kind), failure->kind);
	buf_release(&wire);
}

static inline void assert_fails(const struct spawn_config *config,
				const struct msg_exec_request *asked, enum msg_failure kind,
				const char *stage, const char *words)
{
	struct planned p = plan(config, asked);

	assert_int_equal(p.result, -1);
	assert_int_equal(p.failure.kind, kind);
	assert_string_equal(p.failure.stage, stage);
	if (!strstr(p.failure.message, words))
		fail_msg("%s: not %s", p.failure.message, words);
	assert_reaches_the_client(&p.failure);
	forget(&p);
}

static inline const char *planned_env(const struct planned *planned, const char *key)
{
	assert_int_equal(planned->result, 0);
	return environ_get(planned->plan->child.envp, key);
}

#endif
