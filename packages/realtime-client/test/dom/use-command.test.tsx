/** The hook for commands in a page. */
import { createCommandQueue } from '@guildkit/realtime-client';
import { type UseCommand, useCommand } from '@guildkit/realtime-client/react';
import { createVirtualClock } from '@guildkit/testkit';
import { act, cleanup, render } from '@testing-library/react';
import { StrictMode } from 'react';
import { afterEach, describe, expect, it } from 'vitest';
import { setup } from '../support/setup.js';
import { rest, under } from './support.js';

afterEach(cleanup);

function mount(strict = false) {
  const clock = createVirtualClock();
  const world = setup({ clock, commands: createCommandQueue({ clock }) });
  const seen: UseCommand<'say'>[] = [];
  function Say() {
    seen.push(useCommand('say'));
    return null;
  }
  const tree = under(world.client, <Say />);
  const { unmount } = render(strict ? <StrictMode>{tree}</StrictMode> : tree);
  const last = () => seen.at(-1) as UseCommand<'say'>;
  const stand = () => {
    const { isPending, result, error } = last();
    return { isPending, result, error: error?.detail };
  };
  return { world: { ...world, clock }, last, stand, unmount, seen };
}

describe.each([false, true])('useCommand (Strict Mode: %s)', (strict) => {
  it('shows that it waits, the result, and why it failed', async () => {
    const { world, last, stand } = mount(strict);
    await rest(world);
    expect(stand()).toEqual({ isPending: false, result: undefined, error: undefined });
    const { run } = last();
    let call: Promise<boolean> | undefined;
    act(() => {
      call = run('hi');
    });
    expect(stand()).toMatchObject({ isPending: true });
    await rest(world);
    expect(stand()).toEqual({ isPending: false, result: 'hi', error: undefined });
    expect(await call).toBe(true);
    world.hub.onCommand = () => ({ type: 'error', payload: { code: 'ERR_NO', message: '' } });
    await act(async () => {
      call = run('hi');
    });
    await rest(world);
    expect(stand()).toEqual({ isPending: false, result: undefined, error: 'ERR_NO' });
    expect(await call).toBe(false);
    expect(last().run).toBe(run);
    act(() => last().reset());
    expect(stand()).toEqual({ isPending: false, result: undefined, error: undefined });
    expect(world.hub.all.flatMap(({ received }) => received.filter(({ type }) => type === 'command'))).toHaveLength(2);
  });

  it('shows the last of two calls, in whatever order they end', async () => {
    const { world, last, stand } = mount(strict);
    await rest(world);
    world.hub.onCommand = () => undefined;
    await act(async () => {
      void last().run('first');
      void last().run('second');
    });
    await rest(world);
    const [first, second] = world.hub.last.received.filter(({ type }) => type === 'command');
    const answer = (re: string | undefined, result: string) =>
      world.hub.last.send({ type: 'ack', event: 'command', re, payload: { result, latencyMs: 0 } });
    answer(second?.id, 'second');
    await rest(world);
    answer(first?.id, 'first');
    await rest(world);
    expect(stand()).toEqual({ isPending: false, result: 'second', error: undefined });
  });

  it('does nothing to a component that is gone', async () => {
    const { world, last, unmount, seen } = mount(strict);
    await rest(world);
    let call: Promise<boolean> | undefined;
    await act(async () => {
      call = last().run('hi');
    });
    unmount();
    const renders = seen.length;
    await rest(world);
    expect(await call).toBe(true);
    expect(seen).toHaveLength(renders);
  });
});

describe('useCommand without the option', () => {
  it('rejects: that is a mistake of the code, not of the user', async () => {
    const world = setup();
    const seen: UseCommand<'say'>[] = [];
    function Say() {
      seen.push(useCommand('say'));
      return null;
    }
    render(under(world.client, <Say />));
    await act(async () => {
      await expect(seen.at(-1)?.run('hi')).rejects.toThrow(TypeError);
    });
    expect(seen.at(-1)?.isPending).toBe(false);
  });
});
