/** Which of several ways to the hub is taken. */
import {
  fallbackTransport,
  type Transport,
  type TransportHandlers,
  type TransportMemory,
} from '@guildkit/realtime-client';
import { describe, expect, it } from 'vitest';

/** A way that does what it is told to, and counts who came. */
function way() {
  const made: { readonly handlers: TransportHandlers; readonly hint: unknown; closed: unknown[] }[] = [];
  const transport: Transport = {
    connect(handlers, hint) {
      const each = { handlers, hint, closed: [] as unknown[], sent: [] as string[] };
      made.push(each);
      return {
        send: (text) => void each.sent.push(text),
        close: (code, reason) => void each.closed.push(code, reason),
      };
    },
  };
  return { transport, made };
}

const handlers = () => {
  const heard: unknown[] = [];
  const closes: unknown[] = [];
  return {
    heard,
    closes,
    onMessage: (data: unknown) => void heard.push(data),
    onClose: (close: unknown) => void closes.push(close),
  };
};

const LOST = { code: 1006, reason: '' };

function pair(memory?: TransportMemory) {
  const [first, second] = [way(), way()];
  return { first, second, transport: fallbackTransport([first.transport, second.transport], memory) };
}

function memoryOf(value: string | null = null): TransportMemory & { value: string | null } {
  return {
    value,
    getItem() {
      return this.value;
    },
    setItem(_key, next) {
      this.value = next;
    },
  };
}

describe('fallbackTransport', () => {
  it('takes the next way when one leads nowhere, and begins again after the last', () => {
    const { first, second, transport } = pair();
    for (const expected of [first, second, first]) {
      const ours = handlers();
      transport.connect(ours, { hasToken: true });
      const made = expected.made.at(-1);
      expect(made?.hint).toEqual({ hasToken: true });
      made?.handlers.onClose(LOST);
      expect(ours.closes).toEqual([LOST]);
    }
    expect([first.made.length, second.made.length]).toEqual([2, 1]);
  });

  it('stays with a way on which the hub has spoken', () => {
    const memory = memoryOf();
    const { first, second, transport } = pair(memory);
    transport.connect(handlers());
    first.made[0]?.handlers.onClose(LOST);
    for (let turn = 0; turn < 3; turn += 1) {
      const ours = handlers();
      transport.connect(ours);
      second.made[turn]?.handlers.onMessage('welcome');
      expect(ours.heard).toEqual(['welcome']);
      second.made[turn]?.handlers.onClose(LOST);
    }
    expect(second.made).toHaveLength(3);
    expect(memory.value).toBe('1');
  });

  it('gives a way that worked three tries: a server that starts anew refuses each of them', () => {
    const { first, second, transport } = pair();
    transport.connect(handlers());
    first.made[0]?.handlers.onMessage('welcome');
    first.made[0]?.handlers.onClose(LOST);
    for (const turn of [1, 2]) {
      transport.connect(handlers());
      first.made[turn]?.handlers.onClose(LOST);
    }
    // In between it worked: the count begins anew.
    transport.connect(handlers());
    first.made[3]?.handlers.onMessage('welcome');
    first.made[3]?.handlers.onClose(LOST);
    for (const turn of [4, 5, 6]) {
      expect(second.made).toHaveLength(0);
      transport.connect(handlers());
      first.made[turn]?.handlers.onClose(LOST);
    }
    transport.connect(handlers());
    expect([first.made.length, second.made.length]).toEqual([7, 1]);
    // That one has not led there yet: it gets one.
    second.made[0]?.handlers.onClose(LOST);
    transport.connect(handlers());
    expect(first.made).toHaveLength(8);
  });

  it('believes a transport that says itself whether it got through', () => {
    const { first, second, transport } = pair();
    const connect = first.transport.connect.bind(first.transport);
    Object.assign(first.transport, {
      connect: (...args: Parameters<Transport['connect']>) => ({ ...connect(...args), isEstablished: false }),
    });
    transport.connect(handlers());
    first.made[0]?.handlers.onMessage('made up');
    first.made[0]?.handlers.onClose(LOST);
    transport.connect(handlers());
    expect(second.made).toHaveLength(1);
  });

  it('goes on to the next when the client gave one up, not when the client was told to end', () => {
    const { first, second, transport } = pair();
    transport.connect(handlers()).close(1000);
    transport.connect(handlers()).close(4000, 'ERR_REALTIME_CONNECTION_TIMEOUT');
    expect(first.made.map(({ closed }) => closed)).toEqual([
      [1000, undefined],
      [4000, 'ERR_REALTIME_CONNECTION_TIMEOUT'],
    ]);
    transport.connect(handlers()).send('x');
    expect(second.made).toHaveLength(1);
  });

  it.each(['1', '3', 'nonsense', '-1', '0.5', null])('survives the memory %j', (value) => {
    const { first, second, transport } = pair(memoryOf(value));
    transport.connect(handlers());
    expect(first.made.length + second.made.length).toBe(1);
    if (value === '1' || value === '3') expect(second.made).toHaveLength(1);
    if (value === 'nonsense' || value === null) expect(first.made).toHaveLength(1);
  });

  it('works with a memory that throws', () => {
    const fail = (): never => {
      throw new Error('no storage here');
    };
    const { first, transport } = pair({ getItem: fail, setItem: fail });
    const ours = handlers();
    transport.connect(ours);
    first.made[0]?.handlers.onMessage('welcome');
    first.made[0]?.handlers.onClose(LOST);
    expect(ours.closes).toEqual([LOST]);
  });
});
