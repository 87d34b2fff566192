/**
 * Type-checks every ```ts and ```tsx fence of the READMEs and of docs/ against the built types, as a user's compiler
 * would. A fence marked `no-check` is a fragment and left out. Needs a build.
 *
 * `node tools/readme-examples.mjs [--root <folder>]`
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';
import { filesBelow, packages, rootOf, root as workspaceRoot } from './lib/workspace.mjs';

/** The checked fences of a Markdown text: `{ line, language, code }`, `line` being that of the first line of code. */
export function fencesOf(markdown) {
  const lines = markdown.split(/\r?\n/);
  const fences = [];
  for (let at = 0; at < lines.length; at += 1) {
    const open = /^(\s*)(`{3,})(tsx?|typescript)\b(.*)$/.exec(lines[at]);
    if (open === null) continue;
    const [, indent, ticks, language, info] = open;
    const end = lines.findIndex((line, index) => index > at && line.trim() === ticks);
    const stop = end < 0 ? lines.length : end;
    if (!/\bno-check\b/.test(info)) {
      const code = lines
        .slice(at + 1, stop)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line));
      fences.push({ line: at + 2, language: language === 'tsx' ? 'tsx' : 'ts', code: code.join('\n') });
    }
    at = stop;
  }
  return fences;
}

/** The Markdown files whose examples are promises. */
function documents(root) {
  const readmes = filesBelow(root, (path) => path.endsWith(`${sep}README.md`));
  const docs = filesBelow(join(root, 'docs'), (path) => path.endsWith('.md') && !path.includes(join('docs', 'api')));
  return [...new Set([...readmes, ...docs])]
    .filter((path) => !relative(root, path).startsWith(join('tools', 'test')))
    .sort();
}

function main(args) {
  const root = rootOf(args);
  const files = new Map();
  for (const path of documents(root)) {
    for (const { line, language, code } of fencesOf(readFileSync(path, 'utf8'))) {
      // Beside its document, so that imports resolve as they would there; in memory only.
      const name = join(path, '..', `${relative(join(path, '..'), path)}.${line}.${language}`);
      // A module even without imports: two examples may use one name.
      files.set(name, { path, line, text: `${code}\nexport {};\n` });
    }
  }

  const paths = Object.fromEntries(
    packages(root).flatMap(({ entries }) => entries.map((e) => [e.specifier, [e.types]])),
  );
  const missing = Object.values(paths)
    .flat()
    .filter((path) => !existsSync(path));
  if (missing.length > 0) {
    console.log(`not built: ${missing.map((path) => relative(root, path)).join(', ')}. Run npm run build`);
    process.exitCode = 1;
    return;
  }
  // The guides stand outside of every package: what a reader installs beside guildkit is found where server-kit has it.
  const zod = join(workspaceRoot, 'packages/server-kit/node_modules/zod');
  if (existsSync(zod)) Object.assign(paths, { zod: [zod], 'zod/mini': [join(zod, 'mini')] });
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      target: 'es2022',
      module: 'esnext',
      moduleResolution: 'bundler',
      lib: ['es2023', 'esnext.disposable', 'dom', 'dom.iterable'],
      types: ['node'],
      typeRoots: [join(workspaceRoot, 'node_modules', '@types')],
      jsx: 'react-jsx',
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      noEmit: true,
      paths,
    },
    root,
  );
  options.pathsBasePath = root;
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists.call(host, name);
  host.readFile = (name) => files.get(name)?.text ?? readFile.call(host, name);
  host.getSourceFile = (name, version, ...rest) => {
    const file = files.get(name);
    return file === undefined
      ? getSourceFile.call(host, name, version, ...rest)
      : ts.createSourceFile(name, file.text, version, true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  let findings = 0;
  for (const diagnostic of ts.getPreEmitDiagnostics(program)) {
    findings += 1;
    const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    const file = files.get(diagnostic.file?.fileName);
    if (file === undefined) {
      console.log(`${diagnostic.file?.fileName ?? ''} ${text}`);
      continue;
    }
    const { line, character } = diagnostic.file.getLineAndCharacterOfPosition(diagnostic.start);
    console.log(`${relative(root, file.path)}:${file.line + line}:${character + 1} ${text}`);
  }
  console.log(`${files.size} examples checked, ${findings} findings`);
  process.exitCode = findings > 0 || files.size === 0 ? 1 : 0;
}

if (import.meta.filename === process.argv[1]) main(process.argv.slice(2));
