/**
 * Checks docs/acceptance.md: every sentence of the specifications has one row, and every test, heading and path that a
 * row cites is there.
 *
 * `node tools/acceptance-doc.mjs` prints what is wrong, and how many rows are open.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { root } from './lib/workspace.mjs';

export const TARGET = join(root, 'docs/acceptance.md');

/** How many sentences each part of each specification has, in its order. A part of 0 is a single row. */
const PARTS = {
  '000': { US1: 4, US2: 4, US3: 4, US4: 4, US5: 4, EC: 8, FR: 17, SC: 10 },
  '001': {
    US1: 5,
    US2: 4,
    US3: 6,
    US4: 7,
    US5: 7,
    FR1: 11,
    FR2: 11,
    FR3: 10,
    FR4: 14,
    NFR1: 5,
    NFR2: 9,
    NFR3: 4,
    NFR4: 8,
    DC: 4,
    ENV: 2,
    SM: 5,
  },
  '002': {
    D1: 1,
    D2: 3,
    D3: 2,
    D4: 3,
    D5: 5,
    D6: 3,
    D7: 3,
    D8: 4,
    D9: 2,
    D10: 2,
    P: 4,
    S: 3,
    R: 1,
    SEC: 2,
    AUTHN: 3,
    AUTHZ: 4,
  },
  '004': { US1: 4, US2: 4, US3: 3, EC: 5, FR: 11, SC: 7 },
};

/** The ids that the page must have, each once: `000 US1.1`, `000 EC-1`, `000 FR-001`, `001 FR1.2`. */
export function idsOf(parts = PARTS) {
  return Object.entries(parts).flatMap(([spec, groups]) =>
    Object.entries(groups).flatMap(([group, count]) =>
      Array.from({ length: count }, (_, at) => `${spec} ${group}${separated(group, at + 1)}`),
    ),
  );
}

function separated(group, number) {
  if (group === 'FR' || group === 'SC') return `-${String(number).padStart(3, '0')}`;
  return /\d$/.test(group) ? `.${number}` : `-${number}`;
}

/** The names of the tests and groups of a test file, as they stand in its source: `%s` and `${…}` are not filled in. */
export function namesOf(source, fileName = 'test.tsx') {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest, true);
  const names = new Set();
  const visit = (node) => {
    if (ts.isCallExpression(node) && /^(it|test|describe)\b/.test(node.expression.getText(file))) {
      const [name] = node.arguments;
      if (name !== undefined && ts.isStringLiteralLike(name)) names.add(name.text);
      else if (name !== undefined && ts.isTemplateExpression(name)) names.add(name.getText(file).slice(1, -1));
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}

/** The rows of the tables: `{ id, links: [{ text, target }], isOpen }`. */
export function rowsOf(markdown) {
  return markdown.split('\n').flatMap((line) => {
    // A bar within a cell is escaped.
    const [, id, , shown] = line.split(/(?<!\\)\|/).map((cell) => cell.trim());
    if (!/^00\d [A-Z]/.test(id ?? '') || shown === undefined) return [];
    const links = [...shown.matchAll(/\[((?:\\.|[^\]\\])*)\]\(([^)\s]+)\)/g)].map(([, text, target]) => ({
      text: text.replaceAll(/\\(.)/g, '$1'),
      target,
    }));
    return [{ id, links, isOpen: shown.includes('**open**') }];
  });
}

/** As GitHub makes them of headings. */
const anchorOf = (heading) =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');

/** What is wrong with the page, in sentences. @param page Its path, from which links go. */
export function problemsOf(markdown, { page = TARGET, ids = idsOf() } = {}) {
  const rows = rowsOf(markdown);
  const seen = rows.map(({ id }) => id);
  const read = new Map();
  const namesIn = (file) => {
    if (!read.has(file)) read.set(file, namesOf(readFileSync(file, 'utf8'), file));
    return read.get(file);
  };
  return [
    ...ids.filter((id) => !seen.includes(id)).map((id) => `${id}: no row`),
    ...seen.filter((id) => !ids.includes(id)).map((id) => `${id}: not in the specifications`),
    ...seen.filter((id, at) => seen.indexOf(id) !== at).map((id) => `${id}: twice`),
    ...rows.flatMap(({ id, links, isOpen }) => [
      ...(links.length === 0 && !isOpen ? [`${id}: shown by nothing, and not marked as open`] : []),
      ...links.flatMap(({ text, target }) => {
        const [path, anchor] = target.split('#');
        const file = join(dirname(page), path);
        const where = relative(root, file);
        if (!existsSync(file)) return [`${id}: there is no ${where}`];
        if (/\.test\.(tsx?|mjs)$/.test(path)) {
          return namesIn(file).has(text) ? [] : [`${id}: ${where} has no "${text}"`];
        }
        if (anchor === undefined) return [];
        const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
          anchorOf(heading),
        );
        return headings.includes(anchor) ? [] : [`${id}: ${where} has no heading #${anchor}`];
      }),
    ]),
  ];
}

function main() {
  const markdown = readFileSync(TARGET, 'utf8');
  const problems = problemsOf(markdown);
  for (const problem of problems) console.error(problem);
  const rows = rowsOf(markdown);
  console.log(`${rows.length} rows, ${rows.filter(({ isOpen }) => isOpen).length} open, ${problems.length} problems`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
