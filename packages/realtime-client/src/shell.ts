/**
 * Owns what one client does to the world: its socket, its token, its watch of the page, the driver's timer. Refuses
 * rooms and views. A closure and not a class: what is in here nobody can reach or print, the token above all.
 */
import { createDriver, type Driver } from '@guildkit/core';
import type { TransportConnection } from './io/transport.js';
import { type WebSocketTransportOptions, webSocketTransport } from './io/web-socket-transport.js';
import type { ResolvedOptions } from './options.js';
import { createStep, deadline, type Handlers, INITIAL } from './protocol/connection.js';
import {
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionState,
  hasReached,
} from './protocol/connection-state.js';
import { parseFrame, textOf } from './protocol/frame.js';

/** What the shell leaves to the client. None of it may throw. */
export interface ShellListeners extends Pick<Handlers<ConnectionEffect>, 'deliver' | 'report'> {
  /** Called after each change of the state, before its effects. */
  readonly follow: (from: ConnectionState, to: ConnectionState) => void;
}

/** Runs a connection. */
export function createShell(
  options: ResolvedOptions,
  { follow, deliver, report }: ShellListeners,
): Driver<ConnectionState, ConnectionInput> {
  const {
    getToken,
    transport = webSocketTransport(options as WebSocketTransportOptions),
    commands,
    environment,
    clock,
    random,
  } = options;
  const hasToken = getToken !== undefined;
  let connection: TransportConnection | undefined;
  let unwatch: (() => void) | undefined;
  let token: string | undefined;
  let tokenCall: Promise<string> | undefined;
  let calledAt: number;
  let calledRefused: boolean;

  const handlers: Handlers<ConnectionEffect> = {
    dial({ gen }) {
      connection = (commands?.over(transport) ?? transport).connect(
        {
          onMessage: (data) => dispatch({ type: 'frame', gen, frame: parseFrame(data) }),
          onClose: ({ code, reason }) => dispatch({ type: 'lost', gen, code, reason }),
        },
        { hasToken },
      );
    },
    hangUp({ reason }) {
      connection?.close(reason ? 4000 : 1000, reason);
      connection = undefined;
    },
    send({ frame }) {
      const payload = frame.type === 'auth' ? { token } : frame.payload;
      connection?.send(JSON.stringify({ ...frame, payload }));
    },
    /**
     * One call at a time: what is under way serves a later try too, unless its token was refused meanwhile or it
     * hangs.
     */
    fetchToken({ gen, refused }) {
      const now = clock.now();
      if (!tokenCall || (refused && !calledRefused) || now - calledAt >= options.timeoutMs) {
        calledRefused = refused;
        calledAt = now;
        tokenCall = Promise.resolve({ refused })
          .then(getToken)
          .then(textOf, () => '');
      }
      const call = tokenCall;
      void call.then((result) => {
        if (tokenCall === call) tokenCall = undefined;
        if (driver.state.gen !== gen) return;
        token = result;
        dispatch({ type: 'token', gen, ok: token !== '' });
      });
    },
    deliver,
    report,
  };

  const driver = createDriver<ConnectionState, ConnectionInput, ConnectionEffect>({
    reducer: { step: createStep({ ...options, hasToken }), deadline },
    initial: INITIAL,
    clock,
    random,
    run: (effect) => (handlers[effect.type] as (each: ConnectionEffect) => void)(effect),
    // Only the transport can throw.
    onEffectError: (error) => dispatch({ type: 'broken', gen: driver.state.gen, reason: (error as Error).message }),
    onTransition(from, to) {
      if (hasReached(to.phase, 'manual')) {
        unwatch ??= environment.watch((type) => dispatch({ type }));
      } else {
        unwatch?.();
        unwatch = token = undefined;
      }
      follow(from, to);
    },
  });
  const { dispatch } = driver;

  return driver;
}
