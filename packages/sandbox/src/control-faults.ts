/** Owns the control API's fault routes: each is one method of `faults`, its options the body. */
import * as z from 'zod';
import { faultRoute } from './control-fault-route.js';
import type { ControlRoute } from './control-route.js';
import { VOICE_FAULT_ROUTES } from './control-voice.js';

const target = { shardId: z.int().min(0).optional(), botId: z.string().max(20).optional() };
const duration = z.int().min(0).max(3_600_000);
const count = z.int().min(0).max(100_000);
const answer = z.enum(['HELLO', 'READY', 'RESUMED']);

const targeted = z.object(target);
const counted = z.object({ count: count.default(1), ...target });

/** What lasts of them. */
export const FAULT_STATE_ROUTE: ControlRoute = {
  method: 'GET',
  path: '/faults',
  summary: 'What lasts: `{ heartbeatAcks, withheld, delayMs, refusing?, rest, voice, media }`',
  handle: async ({ faults }) => faults.lasting(),
};

/** Every fault by HTTP. */
export const FAULT_ROUTES: readonly ControlRoute[] = [
  faultRoute(
    'cut',
    'Cut gateway connections: `{ handshake?, shardId?, botId? }`',
    z.object({ handshake: z.boolean().optional(), ...target }),
    (faults, body) => faults.cut(body),
  ),
  faultRoute(
    'close',
    'Close gateway connections with a code: `{ code, reason?, shardId?, botId? }`',
    z.object({ code: z.int(), reason: z.string().max(120).optional(), ...target }),
    (faults, { code, reason, ...where }) => faults.closeWith(code, reason, where),
  ),
  faultRoute('reconnect', 'Send opcode 7: `{ shardId?, botId? }`', targeted, (faults, body) => faults.reconnect(body)),
  faultRoute(
    'invalidate',
    'Send opcode 9: `{ resumable?, shardId?, botId? }`',
    z.object({ resumable: z.boolean().default(false), ...target }),
    (faults, body) => faults.invalidateSession(body),
  ),
  faultRoute('heartbeat', 'Send opcode 1: `{ shardId?, botId? }`', targeted, (faults, body) =>
    faults.requestHeartbeat(body),
  ),
  faultRoute(
    'acks',
    'Answer heartbeats or not: `{ answered }`',
    z.object({ answered: z.boolean() }),
    (faults, { answered }) => faults.heartbeatAcks(answered),
  ),
  faultRoute(
    'withhold',
    'Keep an answer back: `{ what: "HELLO" | "READY" | "RESUMED" }`',
    z.object({ what: answer }),
    (faults, { what }) => faults.withhold(what),
  ),
  faultRoute(
    'release',
    'Give withheld answers again: `{ what? }`',
    z.object({ what: answer.optional() }),
    (faults, { what }) => faults.release(what),
  ),
  faultRoute('delay', 'Delay dispatches: `{ ms }`, 0 for no longer', z.object({ ms: duration }), (faults, { ms }) =>
    faults.delay(ms),
  ),
  faultRoute('drop', 'Lose dispatches: `{ count?, shardId?, botId? }`', counted, (faults, { count: n, ...where }) =>
    faults.dropDispatches(n, where),
  ),
  faultRoute(
    'duplicate',
    'Send dispatches twice: `{ count?, shardId?, botId? }`',
    counted,
    (faults, { count: n, ...where }) => faults.duplicateDispatches(n, where),
  ),
  faultRoute(
    'reorder',
    'Send dispatches last one first: `{ count?, shardId?, botId? }`',
    z.object({ count: count.default(2), ...target }),
    (faults, { count: n, ...where }) => faults.reorderDispatches(n, where),
  ),
  faultRoute('corrupt', 'Spoil the next compressed message: `{ shardId?, botId? }`', targeted, (faults, body) =>
    faults.corruptCompression(body),
  ),
  faultRoute('half', 'Send half of the next message, then cut: `{ shardId?, botId? }`', targeted, (faults, body) =>
    faults.halfFrame(body),
  ),
  faultRoute(
    'raw',
    'Send a text as it is: `{ text, shardId?, botId? }`',
    z.object({ text: z.string().max(100_000), ...target }),
    (faults, { text, ...where }) => faults.sendRaw(text, where),
  ),
  faultRoute('forget', 'Forget sessions that wait for RESUME', z.object({}), (faults) => faults.forgetSessions()),
  faultRoute('lose', 'Cut connections and forget their sessions', z.object({}), (faults) => faults.loseSessions()),
  faultRoute(
    'refuse',
    'Refuse gateway connections: `{ answer, retryAfterSeconds?, count?, forMs? }`',
    z.object({
      answer: z.union([z.int(), z.enum(['reset', 'silence'])]),
      retryAfterSeconds: z.number().min(0).max(3_600).optional(),
      count: count.optional(),
      forMs: duration.optional(),
    }),
    (faults, body) => faults.refuseUpgrades(body),
  ),
  faultRoute(
    'down',
    'Refuse gateway connections with 503: `{ ms?, cut? }`',
    z.object({ ms: duration.optional(), cut: z.boolean().optional() }),
    (faults, { ms, cut }) => faults.down(ms, { cut }),
  ),
  faultRoute('up', 'Accept gateway connections again', z.object({}), (faults) => faults.up()),
  faultRoute(
    'rest',
    'Disturb REST requests: `{ answer?, retryAfterSeconds?, scope?, carriedOut?, delayMs?, bodyMs?, html?, share?, seed?, method?, path?, count?, forMs? }`',
    z.object({
      answer: z.union([z.int(), z.enum(['reset', 'silence'])]).optional(),
      retryAfterSeconds: z.number().min(0).max(3_600).optional(),
      scope: z.enum(['user', 'global', 'shared']).optional(),
      carriedOut: z.boolean().optional(),
      delayMs: duration.optional(),
      bodyMs: duration.optional(),
      html: z.string().max(10_000).optional(),
      share: z.number().min(0).max(1).optional(),
      seed: z.int().min(0).optional(),
      method: z.string().max(10).optional(),
      path: z.string().max(200).optional(),
      count: count.optional(),
      forMs: duration.optional(),
    }),
    (faults, body) => faults.disturbRest(body),
  ),
  ...VOICE_FAULT_ROUTES,
  faultRoute('clear', 'End every fault that lasts', z.object({}), (faults) => faults.clear()),
];
