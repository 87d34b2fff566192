/**
 * The state diagram in the docs is drawn from the exhaustive search, so it cannot be out of date.
 * Draw it anew with `npx vitest run --project node packages/gateway/test/model/states.test.ts -u`.
 */
import { toMermaid } from '@guildkit/testkit';
import { expect, test } from 'vitest';
import { INVARIANTS } from './session-invariants.js';
import { exploreSession } from './session-model.js';

test('docs/architecture/gateway-states.md is current', async () => {
  const { exploration } = exploreSession();
  const { states, transitions } = exploration;
  const page = `# States of a gateway session

Drawn from the exhaustive search in \`packages/gateway/test/model\`: every arrow was taken there, and no other can be.
With the model's small rules the search visits ${states} states and ${transitions} transitions, then finds nothing new.
\`timer\` is the phase's own deadline, or the heartbeat's.

\`\`\`mermaid
${toMermaid(exploration)}
\`\`\`

## What holds on every transition

${Object.keys(INVARIANTS)
  .map((name) => `- ${name}`)
  .join('\n')}

Sources: \`packages/gateway/src/protocol/session.ts\`, \`packages/gateway/test/model/session-invariants.ts\`,
\`packages/gateway/test/model/session-model.ts\`.
`;
  await expect(page).toMatchFileSnapshot('../../../../docs/architecture/gateway-states.md');
});
