/** Commands as a user of the client sees them. */
import { CommandError, createCommandQueue } from '@guildkit/realtime-client';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, expectTypeOf, it, vi } from 'vitest';
import { setup } from '../support/setup.js';

declare module '@guildkit/realtime-client' {
  interface ClientCommands {
    double: { input: { n: number }; result: number };
  }
}

/** A client with commands; its queue has the client's clock. */
function withCommands(options: { readonly maxPending?: number; readonly timeoutMs?: number } = {}, hubOptions = {}) {
  const clock = createVirtualClock();
  const commands = createCommandQueue({ ...options, clock });
  const made = setup({ clock, commands, random: () => 0 }, hubOptions);
  const settle = async () => {
    await clock.advance(0);
    await clock.advance(0);
  };
  const sent = () => made.hub.all.flatMap(({ received }) => received.filter(({ type }) => type === 'command'));
  return { ...made, clock, commands, settle, sent };
}

const failure = (promise: Promise<unknown>): Promise<CommandError> =>
  promise.then(
    () => {
      throw new Error('was not rejected');
    },
    (error) => error,
  );

describe('client.command()', () => {
  it('gives what the server gives', async () => {
    const { client, settle, commands, hub } = withCommands();
    hub.onCommand = ({ payload }) => ({ payload: { result: (payload.input as { n: number }).n * 2, latencyMs: 1 } });
    client.connect();
    await settle();
    const result = client.command('double', { n: 21 });
    expectTypeOf(result).resolves.toEqualTypeOf<number>();
    expectTypeOf(client.command<'other'>).returns.resolves.toEqualTypeOf<unknown>();
    expect(commands.pending).toBe(1);
    await settle();
    expect(await result).toBe(42);
    expect(commands.pending).toBe(0);
  });

  it('waits for the connection, and goes after the authentication', async () => {
    const { client, settle, hub } = withCommands();
    const result = client.command('say', 'hello');
    client.room('channel:1');
    client.connect();
    await settle();
    expect(await result).toBe('hello');
    expect(hub.last.received.map(({ type }) => type)).toEqual(['auth', 'subscribe', 'command']);
  });

  it('needs no token where a cookie was enough', async () => {
    const { client, settle } = withCommands({}, { welcome: { authTimeoutMs: 0 } });
    client.connect();
    await settle();
    const result = client.command('say', 1);
    await settle();
    expect(await result).toBe(1);
  });

  it('goes again, with the same id, when the connection went before the answer', async () => {
    const { client, settle, hub, clock, sent } = withCommands();
    client.connect();
    await settle();
    hub.onCommand = () => undefined;
    const result = client.command('say', 'once');
    await settle();
    hub.onCommand = ({ id }) => ({ payload: { result: id, latencyMs: 0 } });
    hub.cut();
    await clock.advance(1_000);
    const [first, second, ...more] = sent();
    expect(more).toEqual([]);
    expect(second).toEqual(first);
    expect(await result).toBe(first?.id);
  });

  it('goes again when the hub is about to leave', async () => {
    const { client, settle, hub, clock } = withCommands();
    client.connect();
    await settle();
    hub.onCommand = () => ({ type: 'error', payload: { code: 'ERR_HUB_DRAINING', message: 'going' } });
    const result = client.command('say', 'later');
    await settle();
    hub.onCommand = () => ({ payload: { result: 'now', latencyMs: 0 } });
    hub.last.close(4503);
    await clock.advance(1_000);
    expect(await result).toBe('now');
  });

  it('fails with what the server says', async () => {
    const { client, settle, hub, errors } = withCommands();
    client.connect();
    await settle();
    const fields = [{ path: 'content', message: 'too long' }];
    hub.onCommand = () => ({ type: 'error', payload: { code: 'ERR_COMMAND_INPUT_INVALID', message: 'no', fields } });
    const error = failure(client.command('say', 'x'));
    await settle();
    expect(await error).toMatchObject({
      code: 'ERR_REALTIME_COMMAND_REFUSED',
      command: 'say',
      detail: 'ERR_COMMAND_INPUT_INVALID',
      fields,
      retryable: false,
      isUnsure: false,
    });
    expect(CommandError.is(await error)).toBe(true);
    // It is the caller's alone.
    expect(errors).toEqual([]);
  });

  it('says when to come back', async () => {
    const { client, settle, hub } = withCommands();
    client.connect();
    await settle();
    hub.onCommand = () => ({
      type: 'error',
      payload: { code: 'ERR_COMMAND_RATE', message: 'slow', retryAfterMs: 900 },
    });
    const error = failure(client.command('say', 'x'));
    await settle();
    expect(await error).toMatchObject({ retryAfterMs: 900, retryable: true });
  });

  it.each([undefined, null, 7, 'x', { fields: 7, code: 7, retryAfterMs: 'x' }])(
    'survives the refusal %j',
    async (payload) => {
      const { client, settle, hub } = withCommands();
      client.connect();
      await settle();
      hub.onCommand = () => ({ type: 'error', payload });
      const error = failure(client.command('say', 'x'));
      await settle();
      expect(await error).toMatchObject({
        code: 'ERR_REALTIME_COMMAND_REFUSED',
        fields: undefined,
        retryAfterMs: undefined,
      });
    },
  );

  it('gives up in time, and says whether it was sent', async () => {
    const { client, settle, hub, clock } = withCommands({ timeoutMs: 5_000 });
    const unsent = failure(client.command('say', 'x'));
    await clock.advance(5_000);
    expect(await unsent).toMatchObject({ code: 'ERR_REALTIME_COMMAND_TIMEOUT', isUnsure: false, retryable: true });
    client.connect();
    await settle();
    hub.onCommand = () => undefined;
    const sent = failure(client.command('say', 'x', { timeoutMs: 100 }));
    await clock.advance(100);
    expect(await sent).toMatchObject({ code: 'ERR_REALTIME_COMMAND_TIMEOUT', isUnsure: true });
  });

  it('leaves an answer that comes too late alone', async () => {
    const { client, settle, hub, clock, sent, errors } = withCommands();
    client.connect();
    await settle();
    hub.onCommand = () => undefined;
    const error = failure(client.command('say', 'x', { timeoutMs: 100 }));
    await clock.advance(100);
    await error;
    hub.last.send({ type: 'error', event: 'command', re: sent()[0]?.id, payload: { code: 'ERR_X', message: '' } });
    await settle();
    expect(errors).toEqual([]);
  });

  it('gives up at the caller’s signal', async () => {
    const { client, settle, commands, sent } = withCommands();
    const controller = new AbortController();
    const error = failure(client.command('say', 'x', { signal: controller.signal }));
    controller.abort(new Error('left the page'));
    expect(await error).toMatchObject({ code: 'ERR_REALTIME_COMMAND_ABORTED', cause: { message: 'left the page' } });
    expect(await failure(client.command('say', 'x', { signal: controller.signal }))).toMatchObject({
      code: 'ERR_REALTIME_COMMAND_ABORTED',
    });
    client.connect();
    await settle();
    expect(sent()).toEqual([]);
    expect(commands.pending).toBe(0);
  });

  it('refuses more than it may hold, and loses nothing of what it holds', async () => {
    const { client, settle } = withCommands({ maxPending: 2 });
    const first = [client.command('say', 1), client.command('say', 2)];
    expect(await failure(client.command('say', 3))).toMatchObject({ code: 'ERR_REALTIME_COMMAND_OVERFLOW' });
    client.connect();
    await settle();
    expect(await Promise.all(first)).toEqual([1, 2]);
  });

  it('ends with the client', async () => {
    const { client, settle, hub, clock } = withCommands();
    client.connect();
    await settle();
    hub.onCommand = () => undefined;
    const error = failure(client.command('say', 'x'));
    await settle();
    client.close();
    expect(await error).toMatchObject({ code: 'ERR_REALTIME_COMMAND_CLOSED', isUnsure: true });
    expect(clock.pending).toBe(0);
  });

  it('shows the outcome at once, and takes it back when it fails', async () => {
    const { client, settle, hub } = withCommands();
    client.connect();
    await settle();
    const undo = vi.fn();
    const optimistic = vi.fn(() => undo);
    const fine = client.command('say', 1, { optimistic });
    expect(optimistic).toHaveBeenCalledTimes(1);
    await settle();
    await fine;
    expect(undo).not.toHaveBeenCalled();
    hub.onCommand = () => ({ type: 'error', payload: {} });
    const error = failure(client.command('say', 1, { optimistic }));
    await settle();
    await error;
    expect(undo).toHaveBeenCalledTimes(1);
  });

  it('takes an id of the caller’s, once at a time', async () => {
    const { client, settle, sent } = withCommands();
    const result = client.command('say', 1, { id: 'mine' });
    await expect(client.command('say', 1, { id: 'mine' })).rejects.toThrow(TypeError);
    client.connect();
    await settle();
    await result;
    expect(sent().map(({ id }) => id)).toEqual(['mine']);
  });

  it('shows nothing of what cannot be sent', async () => {
    const { client, commands } = withCommands();
    const optimistic = vi.fn(() => () => {});
    await expect(client.command('say', 1n, { optimistic })).rejects.toThrow(TypeError);
    await expect(client.command('say', 1, { timeoutMs: 0, optimistic })).rejects.toThrow(TypeError);
    expect(optimistic).not.toHaveBeenCalled();
    expect(commands.pending).toBe(0);
  });

  it('needs the option', async () => {
    const { client } = setup();
    await expect(client.command('say', 1)).rejects.toThrow('commands');
  });
});
