/* Terminals through the SDK. */
import { strict as assert } from 'node:assert';
import { test } from './guest.mjs';
import { Session, run } from './sdk.mjs';

const tty = { tty: true, rows: 40, cols: 132 };

test('tty: it is one, of the size that was asked for, and has one stream', async (client) => {
	const session = await run(client, 'tty; stty size; echo err >&2; exit 7', tty);
	assert.match(session.text(), /^\/dev\/pts\/\d+\r\n40 132\r\nerr\r\n$/);
	assert.equal(session.text('stderr'), '');
	assert.equal(session.last.code, 7);
});

test('tty: a resize is told to the command', async (client) => {
	const script = 'trap "stty size" WINCH; echo up; while :; do sleep 0.05; done';
	const session = await Session.open(client, { args: ['-c', script], ...tty });
	await session.until(/up\r\n/);
	await session.send('core.exec.resize', { rows: 50, cols: 100 });
	await session.until(/50 100\r\n/);
	await session.signal(9);
	assert.equal((await session.end()).signal, 9);
});

test('tty: keys are keys: echo, Ctrl-C and Ctrl-D', async (client) => {
	const session = await Session.open(client, {
		args: ['-c', 'trap "echo caught" INT; cat; echo status $?; cat; echo end'],
		...tty,
	});
	await session.expect('core.exec.started');
	await session.input('typed\r');
	/* Once from the terminal, once from cat. */
	await session.until(/typed\r\ntyped\r\n/);
	await session.input('\x03');
	await session.until(/caught\r\nstatus 130\r\n/);
	await session.input('more\r');
	await session.until(/more\r\nmore\r\n/);
	await session.input('\x04');
	assert.equal((await session.end()).code, 0);
	assert.match(session.text(), /end\r\n$/);
});

test('tty: empty input has no effect', async (client) => {
	const session = await Session.open(client, { cmd: 'cat', ...tty });
	await session.expect('core.exec.started');
	await session.inputEnd();
	await session.input('still here\r');
	await session.until(/still here\r\nstill here\r\n/);
	await session.input('\x04');
	assert.equal((await session.end()).code, 0);
});

test('tty: a shell that prompts is a shell that can be used', async (client) => {
	const session = await Session.open(client, {
		args: ['-i'],
		env: ['PS1=ready> ', 'ENV='],
		...tty,
	});
	await session.until(/ready> $/);
	await session.input('echo $((6 * 7))\r');
	await session.until(/\n42\r\nready> $/);
	await session.input('exit 5\r');
	assert.equal((await session.end()).code, 5);
});
