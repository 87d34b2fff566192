/**
 * Writes docs/errors.md: every error code of every package, with what it means, whether the same call may be made again,
 * and a remedy. Codes and remedies are read from each package's `src/errors.ts` and, where each part has its own,
 * `src/<part>/errors.ts`; what stands in no table there is in `tools/lib/error-facts.mjs`.
 *
 * `node tools/errors-doc.mjs` updates it; `--check` fails when it is not up to date.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { ERROR_FACTS, PACKAGE_NOTES } from './lib/error-facts.mjs';
import { packages, root } from './lib/workspace.mjs';

export const TARGET = join(root, 'docs/errors.md');

/**
 * The codes of an `errors.ts`: `{ code, meaning?, remedy? }`, in the order of the source. They stand in a table
 * (`{ ERR_X: 'remedy' }` or `{ ERR_X: { message, remedy } }`) or in a union of types with a Markdown table above it.
 */
export function codesOf(source) {
  const file = ts.createSourceFile('errors.ts', source, ts.ScriptTarget.Latest, true);
  const found = new Map();
  const add = (code, facts) => found.set(code, { code, ...found.get(code), ...facts });
  const text = (node) => (node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined);
  const visit = (node) => {
    if (ts.isPropertyAssignment(node) && /^ERR_/.test(node.name.getText(file))) {
      const code = node.name.getText(file);
      if (ts.isObjectLiteralExpression(node.initializer)) {
        const field = (name) =>
          text(node.initializer.properties.find((property) => property.name?.getText(file) === name)?.initializer);
        const retryable = node.initializer.properties.some(
          (property) =>
            property.name?.getText(file) === 'retryable' && property.initializer?.kind === ts.SyntaxKind.TrueKeyword,
        );
        add(code, { meaning: field('message'), remedy: field('remedy'), ...(retryable ? { again: 'yes' } : {}) });
      } else {
        // Another table by the same codes, such as their HTTP statuses, says nothing of remedies.
        const remedy = text(node.initializer);
        add(code, remedy === undefined ? {} : { remedy });
      }
      return;
    }
    if (ts.isTypeAliasDeclaration(node) && /ErrorCode$/.test(node.name.text)) {
      const comment = source.slice(node.getFullStart(), node.getStart(file));
      const rows = new Map(
        [...comment.matchAll(/\| `(ERR_\w+)` \| (.*?) \| (.*?) \|/g)].map(([, code, meaning, remedy]) => [
          code,
          { meaning: sentence(meaning), remedy: sentence(remedy) },
        ]),
      );
      const types = ts.isUnionTypeNode(node.type) ? node.type.types : [node.type];
      for (const type of types) {
        const code = ts.isLiteralTypeNode(type) ? text(type.literal) : undefined;
        if (code !== undefined) add(code, rows.get(code) ?? {});
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...found.values()];
}

/** Every code of the workspace by package, facts merged in. */
export function collect(base = root, facts = ERROR_FACTS) {
  return packages(base).flatMap(({ name, folder, dir }) => {
    const paths = errorFiles(join(dir, 'src'));
    if (paths.length === 0) return [];
    const codes = paths.flatMap((path, index) =>
      codesOf(readFileSync(path, 'utf8')).map(({ code, meaning, remedy, again }) => ({
        code,
        meaning: meaning ?? facts[code]?.meaning,
        remedy: remedy ?? facts[code]?.remedy,
        // The table of a part says what may be tried again; of the rest the same call fails again.
        again: facts[code]?.again ?? again ?? (index > 0 ? 'no' : undefined),
      })),
    );
    return [{ name, folder, codes }];
  });
}

/** `src/errors.ts` first, then those of the parts. */
function errorFiles(src) {
  const parts = existsSync(src) ? readdirSync(src, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  const names = parts.map(({ name }) => name).sort();
  return [join(src, 'errors.ts'), ...names.map((name) => join(src, name, 'errors.ts'))].filter((path) =>
    existsSync(path),
  );
}

/** What keeps the page from being complete: codes without a meaning or a remedy, facts about codes that are gone. */
export function problemsOf(collected, facts = ERROR_FACTS) {
  const codes = collected.flatMap((entry) => entry.codes);
  const known = new Set(codes.map(({ code }) => code));
  return [
    ...codes.filter(({ meaning }) => !meaning).map(({ code }) => `${code}: no meaning, add it to error-facts.mjs`),
    ...codes.filter(({ remedy }) => !remedy).map(({ code }) => `${code}: no remedy, add it to its errors.ts`),
    ...Object.keys(facts)
      .filter((code) => !known.has(code))
      .map((code) => `${code}: in error-facts.mjs, in no package`),
  ];
}

/** The page. */
export function render(collected) {
  return `${[
    '# Errors',
    'Written by `node tools/errors-doc.mjs` out of each package’s `src/errors.ts`: a test fails when it is not current.',
    'Every error extends `GuildkitError` of `@guildkit/core`: `code`, `retryable`, `cause`. Decide by class (`GatewayError.is(error)`, which works across ESM, CommonJS and duplicated installs) and by `code`, never by message. No message holds a token.',
    '*again* is the error’s `retryable`: **yes**, the same call may succeed later; **no**, something has to change first; **both**, the instance says it; **–**, nothing is thrown: it is reported, counted or sent to a client.',
    '`TypeError` (options) and `RangeError` (a reducer’s deadline) have no code: they are bugs of the caller, and name the option.',
    ...collected.flatMap(({ name, folder, codes }) => [
      `## ${name}`,
      ...(PACKAGE_NOTES[folder] === undefined ? [] : [PACKAGE_NOTES[folder]]),
      ...(codes.length === 0
        ? []
        : [
            table(
              ['code', 'meaning', 'again', 'remedy'],
              codes.map(({ code, meaning, again, remedy }) => [`\`${code}\``, meaning, again, remedy]),
            ),
          ]),
    ]),
  ].join('\n\n')}\n`;
}

function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

function table(head, rows) {
  const cell = (text) => String(text ?? '').replaceAll('|', '\\|');
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.filename === process.argv[1]) {
  const collected = collect();
  const problems = problemsOf(collected);
  const page = render(collected);
  if (!process.argv.includes('--check')) writeFileSync(TARGET, page);
  else if (!existsSync(TARGET) || readFileSync(TARGET, 'utf8') !== page) {
    problems.push('docs/errors.md is not up to date: node tools/errors-doc.mjs');
  }
  for (const problem of problems) console.log(problem);
  console.log(`${collected.flatMap(({ codes }) => codes).length} error codes, ${problems.length} problems`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
