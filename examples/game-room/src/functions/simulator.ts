/** Server functions behind the simulator panel. They answer only while the sandbox stands in for Discord. */
import { SandboxError } from '@guildkit/sandbox';
import { RoomError } from '@guildkit/server-kit/rooms';
import { createMiddleware, createServerFn } from '@tanstack/react-start';
import { setResponseStatus } from '@tanstack/react-start/server';
import * as z from 'zod';
import type { App } from '../server/app.js';
import type { Simulation } from '../server/simulation.js';

const id = z.string().regex(/^[0-9]{1,20}$/);

const action = z.discriminatedUnion('do', [
  z.object({ do: z.literal('add'), name: z.string().trim().min(1).max(32), channelId: id.optional() }),
  z.object({ do: z.literal('place'), personId: id, channelId: id }),
  z.object({ do: z.literal('leave'), personId: id }),
  z.object({ do: z.literal('switch'), personId: id, what: z.enum(['mute', 'deaf', 'video']), on: z.boolean() }),
  z.object({ do: z.literal('fault'), fault: z.enum(['cut', 'reconnect', 'invalidSession']) }),
  z.object({ do: z.literal('deleteRoom'), channelId: id }),
]);

/** What the panel can ask for. */
export type SimulatorAction = z.infer<typeof action>;

/** Refuses when people are real. */
const onSandboxOnly = createMiddleware({ type: 'function' }).server(({ next, context: { app } }) => {
  const { simulation } = app;
  if (simulation === undefined) {
    setResponseStatus(403);
    throw new Error('The simulator works only while Discord is simulated.');
  }
  return next({ context: { simulation } });
});

/** Who is simulated, and how the connection to the sandbox is. */
export const getSimulator = createServerFn()
  .middleware([onSandboxOnly])
  .handler(({ context: { app, simulation } }) => ({
    people: simulation.people().map((person) => ({ ...person })),
    rooms: app.directory.list().map(({ channelId, name }) => ({ channelId, name })),
    gateway: { state: app.health().discord.state, ...simulation.counters() },
  }));

/** Does one thing to the simulated Discord. */
export const simulate = createServerFn({ method: 'POST' })
  .middleware([onSandboxOnly])
  .validator(action)
  .handler(async ({ data, context: { app, simulation } }): Promise<{ problem: string | undefined }> => {
    try {
      await run(app, simulation, data);
      return { problem: undefined };
    } catch (error) {
      // A sentence says why somebody cannot do that: the room is full, the person is gone, there are too many people.
      if (SandboxError.is(error) || RoomError.is(error) || error instanceof RangeError)
        return { problem: error.message };
      throw error;
    }
  });

/** A room of this app is closed to whoever has no seat: the panel gives one, as an invite would. */
async function place(app: App, simulation: Simulation, personId: string, channelId: string): Promise<void> {
  const room = await app.rooms.get(channelId);
  if (room?.state === 'open' && !room.holders.includes(personId)) await app.rooms.join({ channelId, userId: personId });
  await simulation.place(personId, channelId);
}

async function run(app: App, simulation: Simulation, action: SimulatorAction): Promise<void> {
  switch (action.do) {
    case 'add': {
      const person = await simulation.addPerson(action.name);
      if (action.channelId !== undefined) await place(app, simulation, person.id, action.channelId);
      break;
    }
    case 'place':
      await place(app, simulation, action.personId, action.channelId);
      break;
    case 'leave':
      await simulation.leave(action.personId);
      break;
    case 'switch':
      await simulation.switchVoice(action.personId, action.what, action.on);
      break;
    case 'fault':
      simulation.fault(action.fault);
      break;
    case 'deleteRoom':
      await app.deleteChannel(action.channelId);
      break;
  }
}
