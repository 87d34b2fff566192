/**
 * Owns what one client does to the world: its socket, its token, its watch of the page, the driver's timer. Refuses
 * rooms and views. A closure and not a class: what is in here nobody can reach or print, the token above all.
 */
import { createDriver, type Driver } from '@guildkit/core';
import type { Envelope } from '@guildkit/core/wire';
import type { TransportConnection } from './io/transport.js';
import { webSocketTransport } from './io/web-socket-transport.js';
import type { ResolvedOptions } from './options.js';
import {
  type ConnectionEffect,
  type ConnectionInput,
  type ConnectionState,
  createStep,
  deadline,
  INITIAL,
  type Problem,
} from './protocol/connection.js';
import { parseFrame } from './protocol/frame.js';

/** What the shell tells the client. None of it may throw. */
export interface ShellListeners {
  follow(from: ConnectionState, to: ConnectionState): void;
  deliver(room: string, frame: Envelope): void;
  report(problem: Problem, cause?: unknown): void;
}

/** Runs a connection. */
export function createShell(
  options: ResolvedOptions,
  { follow, deliver, report }: ShellListeners,
): Driver<ConnectionState, ConnectionInput> {
  const { getToken, transport = webSocketTransport(options), environment, validate, clock, random } = options;
  let connection: TransportConnection | undefined;
  let unwatch: (() => void) | undefined;
  let token: string | undefined;
  let tokenCall: { readonly refused: boolean; readonly at: number; readonly result: Promise<string> } | undefined;

  const driver = createDriver<ConnectionState, ConnectionInput, ConnectionEffect>({
    reducer: { step: createStep({ ...options, hasToken: getToken !== undefined }), deadline },
    initial: INITIAL,
    clock,
    random,
    run,
    onEffectError: (error) => report({ code: 'ERR_REALTIME_CONNECTION_LOST' }, error),
    onTransition(from, to) {
      if (to.phase !== 'idle' && to.phase !== 'closed') {
        unwatch ??= environment.watch((type) => driver.dispatch({ type }));
      } else {
        unwatch?.();
        unwatch = token = undefined;
      }
      follow(from, to);
    },
  });
  const { dispatch } = driver;

  function run(effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'dial':
        dial(effect.gen);
        break;
      case 'hangUp':
        connection?.close(effect.code, effect.reason);
        connection = undefined;
        break;
      case 'fetchToken':
        fetchToken(effect.gen, effect.refused);
        break;
      case 'sendAuth':
        send({ v: 1, type: 'auth', id: effect.id, payload: { token } });
        token = undefined;
        break;
      case 'send':
        send(effect.frame);
        break;
      case 'deliver':
        deliver(effect.room, effect.frame);
        break;
      case 'report':
        report(effect.problem);
    }
  }

  const send = (frame: object): void => connection?.send(JSON.stringify(frame));

  function dial(gen: number): void {
    try {
      connection = transport.connect({
        onMessage(data) {
          const frame = parseFrame(data);
          dispatch(
            frame === undefined ? { type: 'garbage', gen } : { type: 'frame', gen, frame, valid: isValid(frame) },
          );
        },
        onClose: ({ code, reason }) => dispatch({ type: 'lost', gen, code, reason }),
      });
    } catch (error) {
      dispatch({ type: 'undialable', gen, reason: error instanceof Error ? error.message : '' });
    }
  }

  function isValid({ type, event, payload }: Envelope): boolean {
    const schema = type === 'event' && validate !== undefined && Object.hasOwn(validate, event) && validate[event];
    return !schema || schema.safeParse(payload).success;
  }

  /**
   * One call at a time: what is under way serves a later try too, unless its token was refused meanwhile or it
   * hangs.
   */
  function fetchToken(gen: number, refused: boolean): void {
    if (getToken === undefined) return;
    const at = clock.now();
    let call = tokenCall;
    if (call === undefined || (refused && !call.refused) || at - call.at >= options.connectTimeoutMs) {
      call = tokenCall = { refused, at, result: Promise.resolve({ refused }).then(getToken) };
    }
    const done = (result?: unknown): void => {
      if (tokenCall === call) tokenCall = undefined;
      if (driver.state.gen !== gen) return;
      token = typeof result === 'string' ? result : '';
      dispatch({ type: 'token', gen, ok: token !== '' });
    };
    call.result.then(done, () => done());
  }

  return driver;
}
