/* What cannot be done, as the SDK hears it: the kind of each failure, and refusals. */
import { strict as assert } from 'node:assert';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { needRoot, test } from './guest.mjs';
import { FLAG_SESSION_START, ask, body, failure, message, run, soon } from './sdk.mjs';

/* Afterwards the same connection serves as before. */
async function stillServes(client) {
	assert.equal((await run(client, 'echo still')).text(), 'still\n');
}

test('a missing command is not_found, and the path is in the words', async (client) => {
	const said = await failure(client, { cmd: '/no/such/program' });
	assert.equal(said.kind, 'not_found');
	assert.equal(said.errno, 2);
	assert.equal(said.errno_name, 'ENOENT');
	assert.match(said.message, /\/no\/such\/program/);
	assert.equal((await failure(client, { cmd: 'no-such-program' })).kind, 'not_found');
	await stillServes(client);
});

test('each other failure has its kind and its stage', async (client) => {
	const folder = mkdtempSync('/tmp/msb-interop.');
	writeFileSync(`${folder}/text`, 'no program\n', { mode: 0o755 });
	const cases = [
		[{ cmd: '/bin/sh', cwd: '/no/such/folder' }, 'bad_cwd', 'chdir'],
		[{ cmd: '/bin/sh', user: 'no-such-user' }, 'user_setup_failed', 'user'],
		[{ cmd: '/etc' }, 'permission_denied'],
		[{ cmd: `${folder}/text` }, 'not_executable'],
		[{ cmd: '/bin/sh', args: ['a\0b'] }, 'bad_args'],
		[
			{ cmd: '/bin/sh', rlimits: [{ resource: 'nofile', soft: 9, hard: 8 }] },
			'resource_limit',
		],
		[
			{ cmd: '/bin/sh', rlimits: [{ resource: 'unheard-of', soft: 1, hard: 1 }] },
			'resource_limit',
		],
	];
	try {
		for (const [request, kind, stage] of cases) {
			const said = await failure(client, request);
			assert.equal(said.kind, kind, said.message);
			if (stage)
				assert.equal(said.stage, stage);
		}
		for (const [request, kind] of cases.slice(0, 4)) {
			const said = await failure(client, { ...request, tty: true });
			assert.equal(said.kind, kind, said.message);
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
	await stillServes(client);
});

test('a folder that the user may not enter is bad_cwd', async (client) => {
	const folder = mkdtempSync('/tmp/msb-interop.');
	try {
		const said = await failure(client, { cwd: folder, user: 'nobody' });
		assert.equal(said.kind, 'bad_cwd');
	} finally {
		rmSync(folder, { recursive: true });
	}
}, needRoot);

test('file requests are refused as a failed answer, in words', async (client) => {
	const request = { op: { Stat: { path: '/etc/passwd' } } };
	const said = await ask(client, 'core.fs.request', request, FLAG_SESSION_START);
	assert.equal(said.type, 'core.fs.response');
	assert.equal(said.ok, false);
	assert.match(said.error, /not supported/);
	assert.equal(said.data, null);
	await stillServes(client);
});

test('a file that is written: one refusal, and the data after it is nobody\'s', async (client) => {
	const request = body('core.fs.request', { op: { Write: { path: '/tmp/x', mode: null } } });
	const stream = await client.stream(FLAG_SESSION_START, request);
	const { value } = await soon(stream.next(), 'the refusal');
	assert.equal(message(value).ok, false);
	await client.send(stream.id, 0, body('core.fs.data', { data: new Uint8Array(1000) }));
	await client.send(stream.id, 0, body('core.fs.data', { data: new Uint8Array(0) }));
	assert.equal((await soon(stream.next(), 'the end')).done, true);
	await stillServes(client);
});

test('a connection out of the guest is refused as a failed connection', async (client) => {
	const request = body('core.tcp.connect', { host: '127.0.0.1', port: 1 });
	const stream = await client.stream(FLAG_SESSION_START, request);
	const said = message((await soon(stream.next(), 'the refusal')).value);
	assert.equal(said.type, 'core.tcp.failed');
	assert.match(said.error, /not supported/);
	assert.equal((await soon(stream.next(), 'the end')).done, true);
	await stillServes(client);
});

test('unheard-of types and payloads that are none are core.error, by kind', async (client) => {
	const unknown = await ask(client, 'core.future.request', { x: [1, { y: 2 }] });
	assert.equal(unknown.type, 'core.error');
	assert.equal(unknown.kind, 'unsupported_message_type');
	assert.equal(unknown.offending_type, 'core.future.request');
	const payload = await ask(client, 'core.exec.request', { cmd: 5 }, FLAG_SESSION_START);
	assert.equal(payload.type, 'core.error');
	assert.equal(payload.kind, 'invalid_payload');
	const flags = await ask(client, 'core.exec.request', { cmd: 'true' }, 0);
	assert.equal(flags.type, 'core.error');
	assert.equal(flags.kind, 'invalid_flags');
	await stillServes(client);
});

test('a body that is no envelope is answered, and costs no more', async (client) => {
	const said = message(await soon(client.request(0, Buffer.from('ff00', 'hex')), 'an answer'));
	assert.equal(said.type, 'core.error');
	assert.equal(said.kind, 'malformed_message');
	await stillServes(client);
});
