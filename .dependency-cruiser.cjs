/**
 * Who may import whom. Between packages: core imports nothing of the suite, sandbox, rtp and rtc build on core and rtp,
 * redis takes types, and no other package imports another. Inside a package: protocol ← codec ← io ← the public class.
 */

/** What each package's `src` may import of the others. Whatever is not listed here may import core alone. */
const ALLOWED = {
  core: [],
  rtp: ['core'],
  rtc: ['core', 'rtp'],
  sandbox: ['core', 'rtp'],
};

const others = Object.keys(ALLOWED).join('|');
/** A folder of that name at any depth of a package's `src`. Two patterns, because one would be "unsafe" to the tool. */
const inFolder = (name) => [`^packages/[^/]+/src/${name}/`, `^packages/[^/]+/src/.+/${name}/`];
const oneOf = (packages) => `^packages/(${packages.join('|')})/`;

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...Object.entries(ALLOWED).map(([name, allowed]) => ({
      name: `${name}-imports`,
      comment: `${name} may import ${allowed.join(', ') || 'nothing'} of the suite`,
      severity: 'error',
      from: { path: `^packages/${name}/src/` },
      to: { path: '^(packages|tools|examples|bench)/', pathNot: oneOf([name, ...allowed]) },
    })),
    {
      name: 'redis-imports-types',
      comment: 'redis implements interfaces of the others: it may import core, and the types of any package',
      severity: 'error',
      from: { path: '^packages/redis/src/' },
      to: { path: '^packages/', pathNot: oneOf(['redis', 'core']), dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-package-imports-another',
      comment: 'gateway, rest, realtime-client, server-kit may import core alone; wiring is by injection',
      severity: 'error',
      from: { path: '^packages/([^/]+)/src/', pathNot: `^packages/(${others}|redis)/` },
      to: { path: '^(packages|tools|examples|bench)/', pathNot: ['^packages/$1/', '^packages/core/'] },
    },
    {
      name: 'src-not-to-tests',
      comment: 'what is published never imports tests',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '^packages/[^/]+/test/' },
    },
    {
      name: 'tests-use-own-core-sandbox',
      comment: 'a package is tested with itself, core, the testkit and the sandbox',
      severity: 'error',
      from: { path: '^packages/([^/]+)/test/', pathNot: '^packages/(redis|rtc|sandbox)/' },
      to: { path: '^(packages|examples|bench)/', pathNot: ['^packages/$1/', '^packages/(core|sandbox)/'] },
    },
    {
      name: 'tests-of-redis-use-the-twins',
      comment: 'redis is tested with the suites that the implementations in memory pass, and below what uses it',
      severity: 'error',
      from: { path: '^packages/redis/test/' },
      to: {
        path: '^(packages|examples|bench)/',
        pathNot:
          '^packages/(redis|core|sandbox|realtime-client/src|(gateway|rest|server-kit)/(src|test/(contract|support)))/',
      },
    },
    {
      name: 'tests-of-voice-use-rtp',
      comment: 'rtc and sandbox are tested with rtp, too, which they build on',
      severity: 'error',
      from: { path: '^packages/(rtc|sandbox)/test/' },
      to: { path: '^(packages|examples|bench)/', pathNot: ['^packages/$1/', '^packages/(core|rtp|sandbox)/'] },
    },
    {
      name: 'sandbox-base-not-tested-with-sandbox',
      comment: 'the sandbox depends on core and rtp: testing them with it would be a cycle in the workspace',
      severity: 'error',
      from: { path: '^packages/(core|rtp)/' },
      to: { path: '^packages/sandbox/' },
    },
    {
      name: 'protocol-is-pure',
      comment: 'nothing in protocol/ reaches codec/, io/ or platform modules, by however many steps',
      severity: 'error',
      from: { path: inFolder('protocol') },
      // rtp has one entry for its pure packets and its ciphers; its own protocol/ is below.
      to: { path: [...inFolder('codec'), ...inFolder('io')], pathNot: '^packages/rtp/src/', reachable: true },
    },
    {
      name: 'protocol-of-rtp-is-pure',
      comment: 'as protocol-is-pure',
      severity: 'error',
      from: { path: '^packages/rtp/src/protocol/' },
      to: { path: '^packages/rtp/src/codec/', reachable: true },
    },
    {
      name: 'protocol-no-platform',
      comment: 'protocol/ imports no module of Node',
      severity: 'error',
      from: { path: inFolder('protocol') },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'codec-does-no-io',
      comment: 'nothing in codec/ reaches io/',
      severity: 'error',
      from: { path: inFolder('codec') },
      to: { path: inFolder('io'), reachable: true },
    },
    {
      name: 'browser-code-no-platform',
      comment: 'core and realtime-client run in browsers: no module of Node',
      severity: 'error',
      from: { path: '^packages/(core|realtime-client)/src/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-circular',
      comment: 'no cycles, of types either: the folder order would mean nothing',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      comment: 'every import resolves; bench/ installs its own dependencies, later',
      severity: 'error',
      from: { pathNot: '^bench/' },
      to: { couldNotResolve: true, pathNot: ['[.]css', '[?]url$', '^virtual:'] },
    },
    {
      name: 'src-only-own-dependencies',
      comment: 'what src imports at run time stands in dependencies or peerDependencies',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown', 'undetermined'],
        dependencyTypesNot: ['type-only', 'npm', 'npm-peer', 'npm-optional'],
      },
    },
    {
      name: 'examples-use-entries',
      comment: 'examples and bench import what a user can import: never a file inside a package',
      severity: 'error',
      from: { path: '^(examples|bench)/' },
      to: { path: '^packages/[^/]+/src/', pathNot: '^packages/[^/]+/src/.*index\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/dist/'] },
    exclude: {
      path: [
        'node_modules/\\.',
        '/dist/',
        '/\\.output/',
        '/\\.cache/',
        'routeTree\\.gen\\.ts$',
        '^tools/test/fixtures/',
      ],
    },
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.mts', '.js', '.mjs', '.cjs', '.json'],
    },
  },
};
