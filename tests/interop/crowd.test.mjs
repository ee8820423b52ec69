/* Much at once through the SDK: streams side by side, clients side by side, and large bytes. */
import { strict as assert } from 'node:assert';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { connect, isGone, relayed, socketPath, test } from './guest.mjs';
import { Session, ask, run, until } from './sdk.mjs';

const MIB = 1 << 20;

function digest(chunks) {
	const hash = createHash('sha256');
	for (const chunk of chunks)
		hash.update(chunk);
	return hash.digest('hex');
}

/* Bytes that no two offsets of a frame's size share. */
function pattern(size) {
	const bytes = Buffer.alloc(size);
	for (let i = 0; i + 4 <= size; i += 4)
		bytes.writeUInt32LE(Math.imul(i, 2654435761) >>> 0, i);
	return bytes;
}

test('eight streams at once: nobody\'s bytes are another\'s', async (client) => {
	const one = async (n) => {
		const script = `head -c 3000000 /dev/zero | tr '\\0' ${n}; cat >&2; exit ${20 + n}`;
		const session = await Session.open(client, { args: ['-c', script] });
		await session.input(`input ${n}`);
		await session.inputEnd();
		const last = await session.end(60);
		assert.equal(last.code, 20 + n);
		assert.equal(session.text('stderr'), `input ${n}`);
		assert.equal(session.text(), String(n).repeat(3000000));
		return session.id;
	};
	const ids = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(one));
	assert.equal(new Set(ids).size, 8);
});

test('64 MiB of output arrive whole', async (client) => {
	const script = 'head -c 67108864 /dev/urandom >"$F"; sha256sum <"$F" >&2; cat "$F"; rm "$F"';
	const session = await run(client, script, { env: [`F=/tmp/msb-interop.${process.pid}`] });
	assert.equal(session.last.code, 0);
	assert.equal(session.bytes, 64 * MIB + session.text('stderr').length);
	assert.equal(`${digest(session.chunks.stdout)}  -\n`, session.text('stderr'));
});

test('64 MiB of input arrive whole', async (client) => {
	const session = await Session.open(client, { cmd: 'sha256sum' });
	const bytes = pattern(64 * MIB);
	for (let at = 0; at < bytes.length; at += 65536)
		await session.input(bytes.subarray(at, at + 65536));
	await session.inputEnd();
	assert.equal((await session.end(60)).code, 0);
	assert.equal(session.text(), `${digest([bytes])}  -\n`);
});

test('frames of up to nearly the largest size', async (client) => {
	for (const size of [1, 65535, MIB, 4 * MIB - 200]) {
		const session = await Session.open(client, { cmd: 'sha256sum' });
		const bytes = pattern(size);
		await session.input(bytes);
		await session.inputEnd();
		assert.equal((await session.end(60)).code, 0);
		assert.equal(session.text(), `${digest([bytes])}  -\n`);
	}
});

test('a stream that nobody reads holds up no other client', async (client) => {
	const flood = await Session.open(client, { cmd: 'yes' });
	await flood.expect('core.exec.started');
	const other = await connect();
	for (let i = 0; i < 5; i++)
		assert.equal((await run(other, 'echo beside')).text(), 'beside\n');
	await other.close();
	await flood.signal(9);
	assert.equal((await flood.end(60)).signal, 9);
});

test('twenty clients, each with its own range or its own connection', async () => {
	const clients = await Promise.all(Array.from({ length: 20 }, connect));
	const one = async (client, i) => {
		const session = await run(client, `echo ${i}`);
		assert.equal(session.text(), `${i}\n`);
		return session.id;
	};
	const ids = await Promise.all(clients.map(one));
	if (relayed)
		assert.equal(new Set(ids).size, 20);
	else
		assert.deepEqual(new Set(ids), new Set([1]));
	for (const client of clients)
		await client.close();
});

test('a client process that is killed: its commands are ended, its neighbour\'s are not', async (client) => {
	const neighbour = await Session.open(client, { cmd: 'cat' });
	await neighbour.expect('core.exec.started');
	const dying = spawn(process.execPath, [new URL('dying.mjs', import.meta.url).pathname, socketPath], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	let said = '';
	dying.stdout.on('data', (data) => (said += data));
	await until(() => said.includes('\n'), 'its commands run');
	const pids = said.trim().split(' ').map(Number);
	assert.equal(pids.length, 3);
	assert.ok(!pids.some(isGone));
	dying.kill('SIGKILL');
	await once(dying, 'exit');
	await until(() => pids.every(isGone), 'they are gone');
	await neighbour.input('here');
	await neighbour.inputEnd();
	assert.equal((await neighbour.end()).code, 0);
	assert.equal(neighbour.text(), 'here');
	assert.equal((await ask(client, 'core.ping')).type, 'core.pong');
});
