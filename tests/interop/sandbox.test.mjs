/* Where a sandbox's agent is: the SDK and msb-exec look for it at the same place. */
import { strict as assert } from 'node:assert';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { socketPath, test } from './guest.mjs';
import { AgentClient, run, soon } from './sdk.mjs';

const exec = promisify(execFile);

test('a sandbox\'s name leads the SDK and msb-exec to the same agent', async () => {
	const home = mkdtempSync('/tmp/msb-interop.');
	process.env.MSB_HOME = home;
	try {
		for (const name of ['box', '7of.All-the_kinds', 'x'.repeat(128)]) {
			const path = AgentClient.socketPath(name);
			assert.ok(path.startsWith(home), path);
			mkdirSync(dirname(path), { recursive: true });
			symlinkSync(socketPath, path);
			const client = await soon(AgentClient.connectSandbox(name), 'the sandbox');
			assert.equal((await run(client, 'echo sdk')).text(), 'sdk\n');
			await client.close();
			const { stdout } = await exec(`${process.env.BUILD}/msb-exec`, [
				'-S', `sandbox:${name}`, '--', 'echo', 'msb-exec',
			]);
			assert.equal(stdout, 'msb-exec\n');
		}
	} finally {
		rmSync(home, { recursive: true });
		delete process.env.MSB_HOME;
	}
});
