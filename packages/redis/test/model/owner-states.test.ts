/**
 * The state diagram in the docs is drawn from the exhaustive search, so it cannot be out of date.
 * Draw it anew with `npx vitest run --project node packages/redis/test/model/owner-states.test.ts -u`.
 */
import { type Exploration, explore, toMermaid } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { createWorld, type Faults, initialWorld, keyOf, type Move, NO_FAULTS, server } from './owner-model.js';
import { brokenRule, OWNER_RULES } from './owner-rules.js';

const NAMES: Readonly<Partial<Record<string, string>>> = {
  wake: 'timer',
  finish: 'work ended',
  refuse: 'write refused',
  resign: 'resign()',
  close: 'close()',
  granted: 'granted',
  held: 'another has it',
  renewed: 'prolonged',
  lost: 'another was elected',
  released: 'given back',
  failed: 'no answer',
};
const labelOf = (move: Move): string => NAMES[move.type === 'answer' ? move.what : move.type] ?? move.type;

function search(faults: Partial<Faults>, processes: number): Exploration {
  const world = createWorld();
  return explore({
    initial: initialWorld({ ...NO_FAULTS, ...faults }, processes),
    inputs: world.moves,
    step: world.step,
    key: keyOf,
    invariant: (edge) => brokenRule(edge, server),
    label: labelOf,
    phase: ({ processes: [first] }) => first?.state.phase ?? '',
  });
}

test('docs/architecture/owner-states.md is current', async () => {
  // What another does, and what goes wrong, each by itself: together they are in `owner.test.ts`.
  const [beside, alone] = [search({}, 2), search({ loss: 1, resign: 1 }, 1)];
  expect([beside.complete, alone.complete]).toEqual([true, true]);
  // Death is no state.
  const phaseEdges = [...beside.phaseEdges, ...alone.phaseEdges].filter(({ label }) => label !== 'die');
  const exploration = { ...beside, phaseEdges };
  const page = `# States of an owner

One process that stands for the ownership of a shard. Drawn from the exhaustive search in \`packages/redis/test/model\`: every arrow
was taken there. \`timer\` is the phase's own deadline; in \`leaving\` the work was told to end and the lease is still held, in
\`deposed\` it may be another's.

\`\`\`mermaid
${toMermaid(exploration)}
\`\`\`

## What holds on every move of all processes

${Object.keys(OWNER_RULES)
  .map((name) => `- ${name}`)
  .join('\n')}
- once all goes well, somebody is the owner within two leases

Sources: \`packages/redis/src/protocol/election.ts\`, \`packages/redis/test/model/owner-model.ts\`,
\`packages/redis/test/model/owner-rules.ts\`.
`;
  await expect(page).toMatchFileSnapshot('../../../../docs/architecture/owner-states.md');
});
