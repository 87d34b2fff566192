/**
 * The connection against a model of Discord in bad weather, by seed, in virtual time: no rule is broken meanwhile, and when it
 * has calmed down the connection is ready within its own time limits. It never gives up by itself.
 */
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VOICE_RULES, type VoiceRules } from '../../src/protocol/voice-rules.js';
import type { VoiceReducer } from '../../src/protocol/voice-session.js';
import { dice } from '../support/fuzz-voice.js';
import { CALM, createModelDiscord } from './model-discord.js';
import { HERE } from './voice-model.js';
import { MUTANTS } from './voice-mutants.js';

const RULES: VoiceRules = { ...VOICE_RULES, keepaliveMs: 2_000 };
/** Backoff at its cap, then a join, an opening, a greeting and a discovery that may all have to be made twice. */
const CALM_MS = 180_000;

/** What the weather has to have reached. */
const REACHED = [
  'discoveryTimeout',
  'helloTimeout',
  'heartbeatTimeout',
  'moved',
  'resumed',
  'serverGone',
  'serverUpdate',
  'signallingTimeout',
  'socketClosed',
  'udpTimeout',
];

const blow = fc.oneof(
  fc.record({
    type: fc.constant('weather' as const),
    lost: fc.double({ min: 0, max: 0.6, noNaN: true }),
    cut: fc.double({ min: 0, max: 0.3, noNaN: true }),
    // Less than a 4014 is waited out: later, a move is taken for a kick, as it has to be.
    delayMs: fc.integer({ min: 1, max: 4_800 }),
  }),
  fc.record({ type: fc.constant('move' as const), channelId: fc.constantFrom('1', '2') }),
  fc.record({ type: fc.constant('moveServer' as const) }),
  fc.record({ type: fc.constant('dark' as const), dark: fc.boolean() }),
  fc.record({ type: fc.constant('join' as const), channelId: fc.constantFrom('1', '2') }),
  fc.record({ type: fc.constant('leave' as const) }),
);

type Blow = typeof blow extends fc.Arbitrary<infer T> ? T : never;

/** What is wrong with a run, `undefined` when nothing is. */
function wrong(
  seed: number,
  blows: readonly (readonly [Blow, number])[],
  reducer?: VoiceReducer,
  reasons: Set<string> = new Set(),
): string | undefined {
  const clock = createVirtualClock();
  const discord = createModelDiscord(clock, RULES, dice(seed), reducer);
  const { driver } = discord;
  driver.dispatch({ type: 'join', target: HERE });
  for (const [what, pauseMs] of blows) {
    if (what.type === 'weather') discord.weather = what;
    else if (what.type === 'move') discord.move(what.channelId);
    else if (what.type === 'moveServer') discord.moveServer();
    else if (what.type === 'dark') discord.setDark(what.dark);
    else if (what.type === 'join') driver.dispatch({ type: 'join', target: { ...HERE, channelId: what.channelId } });
    else driver.dispatch({ type: 'leave' });
    clock.advanceSync(pauseMs);
  }
  discord.weather = CALM;
  discord.setDark(false);
  const join = (): void => driver.dispatch({ type: 'join', target: HERE });
  if (driver.state.phase === 'idle') join();
  clock.advanceSync(CALM_MS);
  if (driver.state.phase === 'idle' && discord.orphaned) {
    join();
    clock.advanceSync(CALM_MS);
  }
  for (const reason of discord.reasons) reasons.add(reason);
  if (discord.broken !== undefined) return discord.broken;
  if (driver.state.phase !== 'ready') return `still ${driver.state.phase} after the weather`;
  driver.dispatch({ type: 'leave' });
  clock.advanceSync(CALM_MS);
  return clock.pending === 0 ? undefined : 'a timer is left';
}

function counterexample(runs: number, seed: number, reducer?: VoiceReducer, reasons?: Set<string>): string | undefined {
  const schedule = fc.array(fc.tuple(blow, fc.integer({ min: 0, max: 20_000 })), { maxLength: 25, size: 'max' });
  const result = fc.check(
    fc.property(schedule, fc.nat(), (blows, random) => {
      const problem = wrong(random, blows, reducer, reasons);
      if (problem !== undefined) throw new Error(problem);
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
  if (!result.failed) return undefined;
  return `${(result.errorInstance as Error | null)?.message}: ${JSON.stringify(result.counterexample)}`;
}

const runs = Number(process.env.GUILDKIT_SOAK_RUNS ?? 300);
const seed = Number(process.env.GUILDKIT_SOAK_SEED ?? 20_261_120);

test('after any weather it is ready again, and no rule was broken', () => {
  const reasons = new Set<string>();
  expect(counterexample(runs, seed, undefined, reasons)).toBeUndefined();
  // Worth something only if the weather reaches everything.
  expect([...reasons].sort()).toEqual(expect.arrayContaining(REACHED));
}, 600_000);

test.each([
  'waiting for READY has no deadline',
  'callbacks of an old socket are listened to',
  'the server update alone opens the socket',
  'a missing heartbeat ACK goes unnoticed',
  'being moved ends the connection',
  'a lost session leaves its UDP socket open',
])('caught by weather: %s', (name) => {
  const mutant = MUTANTS.find((candidate) => candidate.name === name);
  expect(counterexample(200, seed, mutant?.make(RULES))).toBeDefined();
});
