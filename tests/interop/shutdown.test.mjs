/* The end, asked for through the SDK. In a file of its own, since it is the end of its daemon. */
import { strict as assert } from 'node:assert';
import { daemonEnds, isGone, test } from './guest.mjs';
import { FLAG_SHUTDOWN, Session, body, soon } from './sdk.mjs';

test('shutdown ends the commands, which is told, and then the daemon', async (client) => {
	const session = await Session.open(client, { cmd: 'sleep', args: ['60'] });
	const { pid } = await session.expect('core.exec.started');
	await soon(client.send(0, FLAG_SHUTDOWN, body('core.shutdown', null)), 'shutdown');
	const last = await session.end();
	assert.equal(last.type, 'core.exec.exited');
	assert.equal(last.signal, 15);
	await daemonEnds();
	assert.ok(isGone(pid));
});
