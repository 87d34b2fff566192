/** The connection against every input in every state, and against mistakes on purpose. */
import { expect, test } from 'vitest';
import { exploreVoice, type Scope } from './voice-model.js';
import { MUTANTS } from './voice-mutants.js';

/** All at once takes minutes: `npm run soak`. */
const SCOPES: readonly Scope[] = process.env.GUILDKIT_SOAK_EVERYTHING
  ? ['life', 'ways in', 'path', 'everything']
  : ['life', 'ways in', 'path'];

/** Each search is made once. */
const explored = new Map<Scope, ReturnType<typeof exploreVoice>>();
function explore(scope: Scope): ReturnType<typeof exploreVoice> {
  const found = explored.get(scope) ?? exploreVoice({ scope });
  explored.set(scope, found);
  return found;
}

test.each(SCOPES)(
  'every rule holds in every reachable state: %s',
  (scope) => {
    const { exploration } = exploreVoice({ scope });
    expect(exploration.violation).toBeUndefined();
    expect(exploration.complete).toBe(true);
    expect(exploration.states).toBeGreaterThan(1_000);
  },
  600_000,
);

test('the search gets everywhere', () => {
  const kinds = new Set([...explore('life').effects, ...explore('ways in').effects]);
  expect([...kinds].sort()).toMatchInlineSnapshot(`
    [
      "alert",
      "closeSocket end",
      "closeSocket terminate",
      "closeUdp",
      "deliver",
      "drop duplicate",
      "drop unexpected",
      "ended channelDeleted",
      "ended closed",
      "ended fatal",
      "ended kicked",
      "heartbeat",
      "identify",
      "join",
      "leave",
      "legacyMode",
      "moved",
      "openSocket",
      "openUdp",
      "prepareSession",
      "resume",
      "resumed",
      "selectProtocol",
      "sendDiscovery",
      "sendKeepalive",
      "sessionLost",
      "sessionStarted",
    ]
  `);
  const edges = explore('path').exploration.phaseEdges.map(({ from, label, to }) => `${from} ${label} ${to}`);
  // The NAT gave another address; the path died.
  expect(edges).toContain('ready other address selecting');
  expect(edges).toContain('ready timer waiting');
});

test.each(MUTANTS)('caught: $name', ({ make, breaks, scope = 'life' }) => {
  const { exploration } = exploreVoice({ make, scope });
  expect(exploration.violation?.rule).toBe(breaks);
});
