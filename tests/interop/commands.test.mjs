/* Commands through the SDK: how they are run, what they print, take and become. */
import { strict as assert } from 'node:assert';
import { isGone, needRoot, test } from './guest.mjs';
import { Session, ask, readyOf, run, until } from './sdk.mjs';

test('ready has the generation and the three times that the SDK needs', async (client) => {
	const ready = readyOf(client);
	assert.equal(ready.type, 'core.ready');
	assert.equal(ready.v, 7);
	for (const key of ['boot_time_ns', 'init_time_ns', 'ready_time_ns'])
		assert.ok(Number(ready[key]) >= 0, key);
	assert.match(ready.agent_version, /^msb-execd\//);
});

test('stdout, stderr and the exit status arrive, started first and exited last', async (client) => {
	const session = await run(client, 'echo out; echo err >&2; exit 3');
	assert.equal(session.text(), 'out\n');
	assert.equal(session.text('stderr'), 'err\n');
	assert.deepEqual(
		session.events.map((event) => event.type),
		['core.exec.started', 'core.exec.exited'],
	);
	assert.ok(session.events[0].pid > 0);
	assert.equal(session.last.code, 3);
});

test('ids are taken in order, and each command is heard on its own', async (client) => {
	const first = await run(client, 'echo 1');
	const second = await run(client, 'echo 2');
	assert.equal(second.id, first.id + 1);
	assert.equal(first.text() + second.text(), '1\n2\n');
});

test('stdin is what was sent, and its end is the end', async (client) => {
	const session = await Session.open(client, { cmd: 'cat' });
	await session.input('one\n');
	await session.until(/one\n/);
	await session.input('two\n');
	await session.input(Buffer.from([0, 255, 10]));
	await session.inputEnd();
	const last = await session.end();
	assert.equal(last.code, 0);
	assert.deepEqual(
		Buffer.concat(session.chunks.stdout),
		Buffer.from('one\ntwo\n\0\xff\n', 'latin1'),
	);
});

test('stdin for a command that closed its own is an error that is said, and no more', async (client) => {
	const session = await Session.open(client, { args: ['-c', 'exec <&-; echo closed; sleep 60'] });
	await session.until(/closed/);
	await session.input('nobody reads this');
	const said = await session.expect('core.exec.stdin.error');
	assert.equal(said.errno_name, 'EPIPE');
	await session.signal(15);
	assert.equal((await session.end()).code, -1);
});

test('a signal reaches the command, and its death is told as -1 and by number', async (client) => {
	const session = await Session.open(client, {
		args: ['-c', 'trap "echo usr1" USR1; echo up; while :; do sleep 0.05; done'],
	});
	await session.until(/up/);
	await session.signal(10);
	await session.until(/usr1/);
	await session.signal(9);
	const last = await session.end();
	assert.equal(last.type, 'core.exec.exited');
	assert.equal(last.code, -1);
	assert.equal(last.signal, 9);
});

test('env and cwd are the command\'s', async (client) => {
	const session = await run(client, 'pwd; echo "$A $B"', {
		env: ['A=1', 'B=ü = x'],
		cwd: '/usr',
	});
	assert.equal(session.text(), '/usr\n1 ü = x\n');
});

test('keys left out, undefined and null are all the default', async (client) => {
	for (const keys of [{}, { cwd: undefined, user: undefined }, { cwd: null, user: null }]) {
		const session = await Session.bare(client, { cmd: 'echo', args: ['fine'], ...keys });
		assert.equal((await session.end()).code, 0);
		assert.equal(session.text(), 'fine\n');
	}
});

test('user is by name, by number and by both', async (client) => {
	for (const user of ['nobody', '65534', '65534:65534']) {
		const session = await run(client, 'id -u; id -g', { user });
		assert.equal(session.text(), '65534\n65534\n');
	}
}, needRoot);

test('limits arrive, from small numbers to ones that JavaScript writes as a float', async (client) => {
	const session = await run(client, 'ulimit -Sn; ulimit -Hn; ulimit -Sf', {
		rlimits: [
			{ resource: 'nofile', soft: 50, hard: 60 },
			{ resource: 'fsize', soft: 2 ** 33, hard: 2 ** 34 },
		],
	});
	/* In blocks of 512 bytes. */
	assert.equal(session.text(), `50\n60\n${2 ** 24}\n`);
	const whole = await run(client, 'ulimit -Hc', {
		rlimits: [{ resource: 'core', soft: 0n, hard: 1024n }],
	});
	assert.equal(whole.text(), '2\n');
});

test('ping and touch are answered, between commands and beside one', async (client) => {
	assert.equal((await ask(client, 'core.ping')).type, 'core.pong');
	const session = await Session.open(client, { cmd: 'cat' });
	await session.expect('core.exec.started');
	assert.equal((await ask(client, 'core.ping')).type, 'core.pong');
	assert.equal((await ask(client, 'core.touch')).type, 'core.touched');
	await session.inputEnd();
	assert.equal((await session.end()).code, 0);
});

test('a closed client\'s command is ended, with what it had started', async (client) => {
	const session = await Session.open(client, { args: ['-c', 'sleep 60 & echo $!; wait'] });
	const pid = Number((await session.until(/(\d+)\n/))[1]);
	assert.ok(!isGone(pid));
	await client.close();
	await until(() => isGone(pid), 'the command is gone');
});

/*
 * What the SDK does not do: a stream that is closed there is forgotten without a word to the agent.
 * So the command runs on, and its output is thrown away at the client, until the client is closed.
 */
test('a stream closed at the client alone: the command runs on, and others are served', async (client) => {
	const session = await Session.open(client, { args: ['-c', 'echo $$; exec yes'] });
	const pid = Number((await session.until(/(\d+)\n/))[1]);
	await session.stream.close();
	assert.equal((await run(client, 'echo other')).text(), 'other\n');
	assert.ok(!isGone(pid));
	await client.close();
	await until(() => isGone(pid), 'the command is gone');
});
