/** Ten thousand reconnects leave nothing behind. */
import { describe, expect, it } from 'vitest';
import { setup } from '../support/setup.js';

describe('10,000 reconnects', () => {
  it('grow no timers, listeners, rooms or sockets', { timeout: 120_000 }, async () => {
    const { client, hub, clock, environment, settle } = setup({ random: () => 0 });
    const room = client.room('channel:10');
    let told = 0;
    room.on('voice.joined', () => {
      told += 1;
    });
    client.connect();
    await settle();
    let published = 0;
    for (let round = 1; round <= 10_000; round += 1) {
      hub.cut(4503);
      hub.all.length = 0;
      hub.join('10', `${round % 7}`);
      published += 1;
      await clock.advance(200);
      if (client.state.status !== 'open') throw new Error(`round ${round}: ${client.state.status}`);
      if (clock.pending > 1 || environment.watchers !== 1 || hub.connections.size !== 1)
        throw new Error(`round ${round} leaks`);
      await clock.advance(5_000);
    }
    expect(told).toBe(published);
    expect(room.members).toHaveLength(7);
    client.close();
    room.close();
    expect(clock.pending).toBe(0);
    expect(environment.watchers).toBe(0);
    expect(hub.connections.size).toBe(0);
    expect(client.roomView('channel:10').status).toBe('loading');
  });
});
