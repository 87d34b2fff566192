/** Server functions behind the simulator panel. They answer only while the sandbox stands in for Discord. */
import { createMiddleware, createServerFn } from '@tanstack/react-start';
import { setResponseStatus } from '@tanstack/react-start/server';
import * as z from 'zod';

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
    rooms: app.rooms.list().map(({ channelId, name }) => ({ channelId, name })),
    gateway: { state: app.health().discord.state, ...simulation.counters() },
  }));

/** Does one thing to the simulated Discord. */
export const simulate = createServerFn({ method: 'POST' })
  .middleware([onSandboxOnly])
  .validator(action)
  .handler(async ({ data, context: { app, simulation } }) => {
    switch (data.do) {
      case 'add': {
        const person = await simulation.addPerson(data.name);
        if (data.channelId !== undefined) await simulation.place(person.id, data.channelId);
        break;
      }
      case 'place':
        await simulation.place(data.personId, data.channelId);
        break;
      case 'leave':
        await simulation.leave(data.personId);
        break;
      case 'switch':
        await simulation.switchVoice(data.personId, data.what, data.on);
        break;
      case 'fault':
        simulation.fault(data.fault);
        break;
      case 'deleteRoom':
        await app.deleteRoom(data.channelId);
        break;
    }
    return { done: true };
  });
