/** What befalls a client in a soak: faults by weight, every few minutes, the same for the same seed. */
import type { VirtualClock } from '@guildkit/testkit';
import { HEARTBEAT_MS, type ModelDiscord } from './model-discord.js';

/** Mean time between two faults. */
export const FAULT_EVERY_MS = 480_000;

interface Context {
  readonly discord: ModelDiscord;
  readonly clock: VirtualClock;
  /** `[0, 1)`. */
  readonly random: () => number;
}

const pick = <T>(list: readonly T[], random: () => number): T => list[Math.floor(random() * list.length)] as T;

/** Small ones are as likely as large ones. */
const logUniform = (min: number, max: number, random: () => number): number =>
  Math.round(min * (max / min) ** random());

/** Close codes that leave the session. */
const KEEPING = [1005, 4000, 4001, 4002, 4005, 4008];
/** Close codes after which Discord has forgotten it. */
const ENDING = [1000, 1001, 4003, 4007, 4009];

const MALFORMED: readonly (string | Uint8Array)[] = [
  '{"op":0,"t":"MESSAGE_CREATE","s":',
  '',
  'null',
  '[]',
  '{}',
  '{"op":0}',
  '{"op":99,"d":null}',
  '{"t":"MESSAGE_CREATE","s":"7","op":0,"d":{}}',
  '{"t":null,"s":null,"op":9,"d":"maybe"}',
  '{"t":null,"s":null,"op":10,"d":{"heartbeat_interval":0}}',
  Uint8Array.of(0x78, 0x9c, 0xff, 0x00),
  Uint8Array.of(0xff, 0xfe, 0xfd),
];

function outage(ms: number, status: number | undefined, { discord, clock, random }: Context): void {
  // Retry-After, in whole seconds as servers say it, names the end.
  const retryAfterMs = status === 429 ? Math.ceil(ms / 1_000) * 1_000 : undefined;
  discord.fail(status, retryAfterMs);
  clock.setTimer(() => discord.recover(), retryAfterMs ?? ms + Math.floor(random() * 1_000));
}

/** Each with its weight and what it does. */
const FAULTS = {
  duplicate: { weight: 200, strike: ({ discord }) => discord.befall('duplicate') },
  malformed: { weight: 200, strike: ({ discord, random }) => discord.raw(pick(MALFORMED, random)) },
  'heartbeat asked for': {
    weight: 90,
    strike: ({ discord }) => discord.raw('{"t":null,"s":null,"op":1,"d":null}'),
  },
  stall: { weight: 90, strike: ({ discord, random }) => discord.stall(random() * 0.4 * HEARTBEAT_MS) },
  burst: {
    weight: 90,
    strike: ({ discord }) => {
      for (let n = 0; n < 200; n += 1) discord.happen('message');
    },
  },
  'wall clock jumps': { weight: 20, strike: ({ clock, random }) => clock.jumpWall((random() - 0.5) * 86_400_000) },
  reconnect: { weight: 100, strike: ({ discord }) => discord.raw('{"t":null,"s":null,"op":7,"d":null}') },
  cut: { weight: 40, strike: ({ discord }) => discord.cut() },
  'half a frame': { weight: 15, strike: ({ discord }) => discord.befall('half') },
  close: { weight: 18, strike: ({ discord, random }) => discord.close(pick(KEEPING, random), false) },
  'close, session ended': { weight: 12, strike: ({ discord, random }) => discord.close(pick(ENDING, random), true) },
  'invalid session, resumable': { weight: 6, strike: ({ discord }) => discord.invalidate(true) },
  'invalid session': { weight: 6, strike: ({ discord }) => discord.invalidate(false) },
  'frame lost': { weight: 20, strike: ({ discord }) => discord.befall('lose') },
  'frames swapped': { weight: 20, strike: ({ discord }) => discord.befall('swap') },
  'number never given': { weight: 6, strike: ({ discord }) => discord.befall('hole') },
  zombie: { weight: 0.7, strike: ({ discord }) => discord.silence() },
  'not answered': {
    weight: 0.4,
    strike: ({ discord, random }) => {
      discord.ignore = pick(['hello', 'identify', 'resume'] as const, random);
      if (discord.ignore === 'identify') discord.invalidate(false);
      else discord.cut();
    },
  },
  down: {
    weight: 9,
    strike: (context) => outage(logUniform(1_000, 300_000, context.random), undefined, context),
  },
  'HTTP errors': {
    weight: 6,
    strike: (context) => {
      const status = pick([500, 502, 503, 503, 503, 429], context.random);
      outage(logUniform(2_000, 120_000, context.random), status, context);
    },
  },
} as const satisfies Readonly<Record<string, { weight: number; strike: (context: Context) => void }>>;

/** Name of a fault. */
type FaultName = keyof typeof FAULTS;

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];
const TOTAL = FAULT_NAMES.reduce((sum, name) => sum + FAULTS[name].weight, 0);

/** Draws a fault by its weight. */
export function drawFault(random: () => number): FaultName {
  let drawn = random() * TOTAL;
  const found = FAULT_NAMES.find((name) => {
    drawn -= FAULTS[name].weight;
    return drawn < 0;
  });
  return found ?? 'cut';
}

/** Lets a fault happen. */
export function strike(name: FaultName, context: Context): void {
  FAULTS[name].strike(context);
}
