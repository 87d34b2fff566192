// Hostile packets and files, a million of each; audio and video in the sandbox for a minute, in every mode and over a bad
// network; video over a thousand networks for each codec, a thousand courses of calls to the senders:
// `npm run soak -- rtc [--inputs=1000000] [--seed=1] [--seconds=60] [--runs=1000]`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
const option = (name, standard) =>
  process.argv
    .slice(2)
    .find((argument) => argument.startsWith(`--${name}=`))
    ?.split('=')[1] ?? standard;
const env = {
  ...process.env,
  GUILDKIT_FUZZ_INPUTS: option('inputs', '1000000'),
  GUILDKIT_FUZZ_SEED: option('seed', '1'),
  GUILDKIT_SOAK_SECONDS: option('seconds', '60'),
  GUILDKIT_SOAK_RUNS: option('runs', '1000'),
};
const files = [
  'contract/media-fuzz',
  'contract/media-sandbox',
  'model/video-link',
  'model/audio-output',
  'model/video-output',
].map((name) => `packages/rtc/test/${name}.test.ts`);
const args = ['run', '--project', 'node', ...files];
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, env, stdio: 'inherit' });
process.exit(status ?? 1);
