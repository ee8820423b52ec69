/* tests/examples/run.mjs, which finds its packages beside it: so a copy of it lies where they are. */
import { strict as assert } from 'node:assert';
import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { after } from 'node:test';
import { isGone, socketPath, test } from './guest.mjs';
import { soon, until } from './sdk.mjs';

const folder = mkdtempSync(`${process.env.INTEROP}/example.`);
const program = `${folder}/run.mjs`;
copyFileSync(new URL('../examples/run.mjs', import.meta.url), program);
after(() => rmSync(folder, { recursive: true }));

function start(args, path = socketPath) {
	const child = spawn(process.execPath, [program, path, ...args]);
	const it = { child, out: Buffer.alloc(0), err: '' };
	child.stdout.on('data', (data) => (it.out = Buffer.concat([it.out, data])));
	child.stderr.on('data', (data) => (it.err += data));
	child.stdin.on('error', () => {});
	it.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
	return it;
}

async function run(args, input = '', path = socketPath) {
	const it = start(args, path);
	it.child.stdin.end(input);
	it.status = await soon(it.ended, 'the end of run.mjs', 60);
	return it;
}

test('the example prints both streams apart and ends with the status', async () => {
	const it = await run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
	assert.deepEqual([it.out.toString(), it.err, it.status], ['out\n', 'err\n', 3]);
});

test('the example passes its stdin on, every byte of it', async () => {
	const bytes = randomBytes(3000000);
	const it = await run(['cat'], bytes);
	assert.equal(it.status, 0);
	assert.ok(it.out.equals(bytes));
});

test('the example ends as shells do where nothing ran, or a signal ended it', async () => {
	assert.equal((await run(['sh', '-c', 'kill -9 $$'])).status, 137);
	const missing = await run(['nosuchcommandhere']);
	assert.match(missing.err, /^run\.mjs: .*nosuchcommandhere.*\n$/);
	assert.equal(missing.status, 127);
	assert.equal((await run(['/etc'])).status, 126);
	const nobody = await run(['true'], '', `${socketPath}.none`);
	assert.match(nobody.err, /^run\.mjs: .*No such file.*\n$/);
	assert.equal(nobody.status, 125);
});

test('the example passes signals on, and the command does not outlive it', async () => {
	const it = start(['sh', '-c', 'trap "exit 7" INT; echo $$; while :; do sleep 0.05; done']);
	await until(() => it.out.includes('\n'), 'it runs');
	it.child.kill('SIGINT');
	assert.equal(await soon(it.ended, 'its end'), 7);
	const other = start(['sh', '-c', 'echo $$; exec sleep 1000']);
	await until(() => other.out.includes('\n'), 'it runs');
	other.child.kill('SIGKILL');
	await until(() => isGone(Number(other.out)), 'the command has ended');
});
