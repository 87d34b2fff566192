/**
 * Writes docs/sandbox.md: what the sandbox emulates of Discord and what it does not, out of the tables that its code
 * runs on: routes, opcodes, intents, close codes.
 *
 * `node tools/sandbox-docs.mjs` updates it; `--check` fails when it is not up to date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './lib/workspace.mjs';

export const TARGET = join(root, 'docs/sandbox.md');
const SOURCE = join(root, 'packages/sandbox/src');
const discord = createRequire(join(root, 'packages/sandbox/package.json'))('discord-api-types/v10');

/** The page. @param tables What the sandbox's modules export. */
export function render({
  ROUTES,
  NOT_EMULATED,
  OPCODES,
  CLOSE_CODES,
  VOICE_OPCODES,
  VOICE_CLOSE_CODES,
  CONTROL_ROUTES,
  DISPATCHES,
  intentsFor,
  SCOPES,
}) {
  return `${[
    '# What the sandbox emulates',
    'Written by `node tools/sandbox-docs.mjs` out of the code that answers: a test fails when it is not current.',
    `## REST: ${ROUTES.length} routes`,
    'Under `/api/v10`, and with the same answers under `/api/v9` and `/api`. `auth`: `bot` is a bot token, `bearer` an OAuth2 token with the scope named, `any` either, `none` nobody in particular. `needs`: permissions that a bot must hold in the guild or channel; handlers check more where Discord does. `limit`: requests per bot (or user), guild, channel or webhook.',
    ...groups(ROUTES).map(([name, routes]) => `### ${name}\n\n${routeTable(routes)}`),
    '### Limits inside limits',
    sublimitTable(ROUTES),
    'Over all routes: 50 requests a second for each bot (scope `global`), and 10,000 answers of 401, 403 or 429 (scope `shared` not counted) in ten minutes, after which everything is answered with 429, HTML and `Retry-After`. `rateLimits: <factor>` multiplies every limit, `false` switches them off. Discord publishes no route limits: these are plausible ones.',
    '### Not emulated',
    'Answered with 404, code 0 and a message that says so:',
    table(
      ['route', 'what it is about'],
      NOT_EMULATED.map(({ method, path, summary }) => [`\`${method} ${path}\``, summary]),
    ),
    'Every other route is answered with `404: Not Found`, another method of a route above with 405. Within the routes above these are accepted and have no effect: message components, stickers, polls, `tags` and the other fields that no table of the sandbox holds. An attachment whose bytes were dropped (64 MiB are kept) is 404.',
    '## OAuth2',
    `Grants: authorization code with or without PKCE (S256 only) and refresh token, which is used up. Scopes: ${Object.keys(
      SCOPES,
    )
      .map((scope) => `\`${scope}\``)
      .join(', ')}. Not emulated: implicit grant, client credentials, \`bot\` and \`webhook.incoming\` authorization.`,
    '## Gateway: opcodes',
    table(
      ['op', 'name', 'sent by', 'here'],
      OPCODES.map(({ op, name, from, does }) => [String(op), name, from, does]),
    ),
    '## Gateway: dispatches',
    'Each is validated in tests against what strict clients read. `intents`: one of them lets it through; where a message was written says which. What a message says is empty for sessions without MESSAGE_CONTENT, but for their own messages, direct ones and those that mention them.',
    table(['dispatch', 'intents'], dispatches(DISPATCHES, intentsFor)),
    '## Gateway: close codes',
    table(
      ['code', 'reason', 'session'],
      Object.entries(CLOSE_CODES).map(([code, { reason, resumable }]) => [
        code,
        reason,
        resumable ? 'can be resumed' : 'is over',
      ]),
    ),
    '## Voice gateway: opcodes',
    'v8 and v9 (v8 with `channel_id` in Identify and Resume). `numbered`: has a sequence number, JSON and binary from one counter of 16 bits, and is kept for a Resume.',
    table(
      ['op', 'name', 'sent by', 'form', 'here'],
      VOICE_OPCODES.map(({ op, name, from, form, numbered, does }) => [
        String(op),
        name,
        from,
        numbered ? `${form}, numbered` : form,
        does,
      ]),
    ),
    '## Voice gateway: close codes',
    table(
      ['code', 'reason', 'when', 'session'],
      Object.entries(VOICE_CLOSE_CODES).map(([code, { reason, when, resumable }]) => [
        code,
        reason,
        when,
        resumable ? 'can be resumed' : 'is over',
      ]),
    ),
    '## Control API',
    'Under `/control/v1`, from this machine only.',
    table(
      ['route', ''],
      CONTROL_ROUTES.map(({ method, path, summary }) => [`\`${method} ${path}\``, summary]),
    ),
  ].join('\n\n')}\n`;
}

/** Routes by what they are about, in the order of the table. */
function groups(routes) {
  const found = new Map();
  for (const route of routes) {
    const name = groupOf(route.path);
    found.set(name, [...(found.get(name) ?? []), route]);
  }
  return [...found];
}

const GROUPS = [
  [/\/webhooks/, 'Webhooks'],
  [/\/invites/, 'Invites'],
  [/\/reactions/, 'Reactions'],
  [/\/messages|\/typing/, 'Messages'],
  [/^\/applications\/:/, 'Application commands'],
  [/^\/oauth2\/(?!applications)/, 'OAuth2'],
  [/\/members/, 'Members'],
  [/\/roles|\/permissions/, 'Roles and overwrites'],
  [/voice|regions/, 'Voice'],
  [/channels/, 'Channels'],
  [/^\/guilds/, 'Guilds'],
  [/^\/gateway/, 'Gateway'],
];

const groupOf = (path) =>
  path === '/users/@me/channels' || path.startsWith('/users')
    ? 'Users and applications'
    : (GROUPS.find(([pattern]) => pattern.test(path))?.[1] ?? 'Users and applications');

function routeTable(routes) {
  return table(
    ['route', '', 'auth', 'needs', 'limit'],
    routes.map(({ method, path, summary, auth, scope, needs = [], limit, bucket }) => [
      `\`${method} ${path}\``,
      summary,
      scope === undefined ? auth : `${auth}, \`${scope}\``,
      needs.join(', '),
      `${shown(limit)}${bucket === undefined ? '' : `, shared by \`${bucket}\``}`,
    ]),
  );
}

function sublimitTable(routes) {
  return table(
    ['route', 'what', 'limit', 'scope'],
    routes.flatMap(({ method, path, sublimits = [] }) =>
      sublimits.map(({ name, rule, scope }) => [`\`${method} ${path}\``, name, shown(rule), scope]),
    ),
  );
}

const shown = ({ limit, windowMs }) => `${limit} in ${windowMs < 1000 ? `${windowMs} ms` : `${windowMs / 1000} s`}`;

/** Dispatches that the sandbox sends, with the intents that let them through. */
function dispatches(names, intentsFor) {
  const { GatewayIntentBits } = discord;
  return [...names].sort().map((name) => {
    const needs = intentsFor(name);
    const bits = Object.entries(GatewayIntentBits).filter(([, bit]) => typeof bit === 'number' && (needs & bit) !== 0);
    // Older names of one bit come after the newer one.
    const intents = bits.filter(([, bit], at) => bits.findIndex(([, other]) => other === bit) === at);
    return [`\`${name}\``, intents.length === 0 ? 'none' : intents.map(([intent]) => intent).join(', ')];
  });
}

function table(head, rows) {
  const cell = (text) => String(text).replaceAll('|', '\\|');
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { createServer, createServerModuleRunner } = await import('vite');
  const server = await createServer({
    root,
    configFile: false,
    logLevel: 'error',
    server: { middlewareMode: true, watch: null, hmr: false },
    resolve: { alias: [{ find: /^@guildkit\/([^/]+)$/, replacement: `${root}/packages/$1/src/index.ts` }] },
  });
  const runner = createServerModuleRunner(server.environments.ssr);
  const load = (path) => runner.import(join(SOURCE, path));
  const tables = Object.assign(
    {},
    await load('protocol/routes/index.ts'),
    await load('protocol/gateway/opcodes.ts'),
    await load('protocol/gateway/close-codes.ts'),
    await load('protocol/voice/opcodes.ts'),
    await load('protocol/voice/close-codes.ts'),
    await load('protocol/gateway/intents.ts'),
    await load('protocol/oauth/authorize.ts'),
    await load('protocol/world/events.ts'),
    await load('control-api.ts'),
  );
  await runner.close();
  await server.close();
  const text = render(tables);
  if (!process.argv.includes('--check')) writeFileSync(TARGET, text);
  else if (readFileSync(TARGET, 'utf8') !== text) {
    process.stderr.write('docs/sandbox.md is not up to date: node tools/sandbox-docs.mjs\n');
    process.exitCode = 1;
  }
}
