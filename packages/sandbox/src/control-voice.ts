/** Owns the control API's voice routes: its faults, media's faults, and what is going on. */
import * as z from 'zod';
import { faultRoute } from './control-fault-route.js';
import type { ControlRoute } from './control-route.js';

const target = { userId: z.string().max(20).optional(), channelId: z.string().max(20).optional() };
const answer = z.enum(['HELLO', 'READY', 'SESSION_DESCRIPTION', 'RESUMED']);
const ms = z.number().min(0).max(60_000).optional();
const share = z.number().min(0).max(1).optional();

/** Every fault of voice by HTTP. */
export const VOICE_FAULT_ROUTES: readonly ControlRoute[] = [
  faultRoute(
    'media',
    'Disturb media: `{ userId?, direction?, loss?, burst?, delayMs?, jitterMs?, reorder?, reorderMs?, duplicate?, bandwidthBps?, queueMs?, blackout?, forMs?, seed? }`; nothing for no longer',
    z.strictObject({
      userId: target.userId,
      direction: z.enum(['up', 'down', 'both']).optional(),
      loss: share,
      burst: z.int().min(1).max(10_000).optional(),
      delayMs: ms,
      jitterMs: ms,
      reorder: share,
      reorderMs: ms,
      duplicate: share,
      bandwidthBps: z.number().min(1_000).max(1e12).optional(),
      queueMs: ms,
      blackout: z.boolean().optional(),
      forMs: z.int().min(0).max(86_400_000).optional(),
      seed: z.int().min(0).optional(),
    }),
    (faults, body) => faults.media(body),
  ),
  faultRoute(
    'voice/cut',
    'Cut voice connections: `{ handshake?, userId?, channelId? }`',
    z.object({ handshake: z.boolean().optional(), ...target }),
    (faults, body) => faults.voice.cut(body),
  ),
  faultRoute(
    'voice/close',
    'Close voice connections with a code: `{ code, reason?, userId?, channelId? }`',
    z.object({ code: z.int(), reason: z.string().max(120).optional(), ...target }),
    (faults, { code, reason, ...where }) => faults.voice.closeWith(code, reason, where),
  ),
  faultRoute(
    'voice/acks',
    'Answer voice heartbeats or not: `{ answered }`',
    z.object({ answered: z.boolean() }),
    (faults, { answered }) => faults.voice.heartbeatAcks(answered),
  ),
  faultRoute(
    'voice/withhold',
    'Keep an answer back: `{ what: "HELLO" | "READY" | "SESSION_DESCRIPTION" | "RESUMED" }`',
    z.object({ what: answer }),
    (faults, { what }) => faults.voice.withhold(what),
  ),
  faultRoute(
    'voice/release',
    'Give withheld answers of voice again: `{ what? }`',
    z.object({ what: answer.optional() }),
    (faults, { what }) => faults.voice.release(what),
  ),
  faultRoute(
    'voice/move',
    'Give sessions another voice server: `{ outage?, userId?, channelId? }`',
    z.object({ outage: z.boolean().optional(), ...target }),
    (faults, body) => faults.voice.moveServer(body),
  ),
  faultRoute(
    'voice/raw',
    'Send a text to voice connections as it is: `{ text, userId?, channelId? }`',
    z.object({ text: z.string().max(60_000), ...target }),
    (faults, { text, ...where }) => faults.voice.sendRaw(text, where),
  ),
  faultRoute('voice/forget', 'Forget voice sessions that wait for Resume', z.object({}), (faults) =>
    faults.voice.forgetSessions(),
  ),
];

/** What is going on in voice. */
export const VOICE_ROUTES: readonly ControlRoute[] = [
  {
    method: 'GET',
    path: '/voice',
    summary: 'Voice sessions with their packets, and counters',
    handle: async ({ voice }) => ({
      endpoint: voice.endpoint,
      media: voice.media,
      counters: voice.counters,
      packets: voice.packets,
      sessions: voice.sessions(),
    }),
  },
];
