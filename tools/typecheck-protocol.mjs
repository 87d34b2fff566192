/**
 * Compiles every `protocol/` folder against the language alone: `lib: ["ES2023"]`, no types of Node or the DOM. What
 * is not in the language does not compile there.
 *
 * `node tools/typecheck-protocol.mjs [--root <folder>]`
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { rootOf } from './lib/workspace.mjs';
import { protocolFiles } from './purity.mjs';

const root = rootOf(process.argv);
const base = join(root, 'tsconfig.base.json');
const { config } = existsSync(base) ? ts.readConfigFile(base, ts.sys.readFile) : { config: {} };
const { options } = ts.convertCompilerOptionsFromJson(
  {
    ...config.compilerOptions,
    lib: ['es2023'],
    types: [],
    noEmit: true,
    declaration: false,
    declarationMap: false,
    sourceMap: false,
    // Of the packages that a protocol takes types from only the protocol's own lines are judged.
    skipLibCheck: true,
  },
  root,
);
options.pathsBasePath = root;

const files = protocolFiles(root);
const program = ts.createProgram(files, options);
const own = new Set(files);
const diagnostics = [
  ...program.getOptionsDiagnostics(),
  ...program.getSourceFiles().flatMap((file) => {
    if (!own.has(file.fileName)) return [];
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  }),
];
if (diagnostics.length > 0) {
  console.log(
    ts.formatDiagnostics(diagnostics, {
      getCurrentDirectory: () => root,
      getCanonicalFileName: (name) => name,
      getNewLine: () => '\n',
    }),
  );
}
console.log(`${files.length} protocol files compiled against ES2023 alone, ${diagnostics.length} findings`);
process.exitCode = diagnostics.length > 0 || files.length === 0 ? 1 : 0;
