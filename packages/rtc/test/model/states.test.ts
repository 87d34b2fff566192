/**
 * The state diagram in the docs is drawn from the exhaustive search, so it cannot be out of date.
 * Draw it anew with `npx vitest run --project node packages/rtc/test/model/states.test.ts -u`.
 */
import { toMermaid } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { INVARIANTS } from './voice-invariants.js';
import { exploreVoice } from './voice-model.js';

test('docs/architecture/rtc-states.md is current', async () => {
  const explorations = (['life', 'ways in', 'path'] as const).map((scope) => exploreVoice({ scope }).exploration);
  const [life] = explorations;
  if (life === undefined) throw new Error('nothing was explored');
  const phaseEdges = explorations.flatMap((exploration) => exploration.phaseEdges);
  const sum = (of: (exploration: (typeof explorations)[number]) => number): number =>
    explorations.reduce((total, exploration) => total + of(exploration), 0);
  const page = `# States of a voice connection

Drawn from the exhaustive searches in \`packages/rtc/test/model\`: every arrow was taken there. With the model's small rules
the searches visit ${sum(({ states }) => states)} states and ${sum(({ transitions }) => transitions)} transitions, then find nothing new; \`npm run soak\` searches all inputs together.
\`timer\` is the phase's own deadline, or that of a heartbeat, a keepalive or a move.

\`\`\`mermaid
${toMermaid({ ...life, phaseEdges })}
\`\`\`

## What holds on every transition

${Object.keys(INVARIANTS)
  .map((name) => `- ${name}`)
  .join('\n')}

Sources: \`packages/rtc/src/protocol/voice-session.ts\` and its neighbours, \`packages/rtc/test/model/voice-invariants.ts\`,
\`packages/rtc/test/model/voice-model.ts\`.
`;
  await expect(page).toMatchFileSnapshot('../../../../docs/architecture/rtc-states.md');
});
