/**
 * Checks that `protocol/` folders are pure: no clock, randomness, timers, IO or platform globals, and no way into
 * `codec/` or `io/`. Reads the syntax tree, so that a property called `fetch` or a comment about `Date` is no finding.
 *
 * `node tools/purity.mjs [--root <folder>]`
 */
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative, sep } from 'node:path';
import ts from 'typescript';
import { filesBelow, rootOf } from './lib/workspace.mjs';

/** Globals that hold time, chance, IO or the platform. A local of the same name is refused, too: it hides the rule. */
const FORBIDDEN = new Set(
  `Date performance setTimeout clearTimeout setInterval clearInterval setImmediate clearImmediate queueMicrotask
  requestAnimationFrame process console crypto fetch Buffer WebSocket EventSource XMLHttpRequest globalThis
  document navigator localStorage require Worker`
    .split(/\s+/)
    .filter(Boolean),
);

/** Packages without IO that a protocol may use at run time; of any other it may import types. */
const PURE_PACKAGES = [/^@guildkit\/core(\/|$)/, /^@guildkit\/rtp$/, /^discord-api-types(\/|$)/, /^zod(\/mini)?$/];

const BUILTINS = new Set(builtinModules);

/** Every finding in one file, as `{ line, column, message }`. */
export function check(path, text) {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const findings = [];
  const report = (node, message) => {
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart(source));
    findings.push({ line: line + 1, column: character + 1, message });
  };

  function visit(node) {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) checkImport(node);
    else if (ts.isImportTypeNode(node)) {
      // Types carry nothing in; where they lead is the boundary check's concern.
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      report(node, 'import() loads at run time: import at the top');
    } else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      report(node, 'import.meta is platform');
    } else if (ts.isIdentifier(node)) {
      if (FORBIDDEN.has(node.text) && !isPropertyName(node))
        report(node, `${node.text} is not pure: take it as an input`);
      if (node.text === 'Math' && !isPropertyName(node) && !isHarmlessMath(node)) {
        report(node, 'Math.random is not pure: take `random` from the input');
      }
    }
    ts.forEachChild(node, visit);
  }

  function checkImport(node) {
    if (node.moduleSpecifier === undefined) return;
    const specifier = node.moduleSpecifier.text;
    const typesOnly =
      (ts.isImportDeclaration(node)
        ? node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
        : node.isTypeOnly) === true;
    if (specifier.startsWith('node:') || BUILTINS.has(specifier)) {
      report(node, `${specifier} is platform`);
    } else if (specifier.startsWith('.')) {
      if (/(^|\/)(codec|io)\//.test(specifier)) report(node, `${specifier}: protocol must not know codec or io`);
    } else if (!typesOnly && !PURE_PACKAGES.some((pattern) => pattern.test(specifier))) {
      report(node, `${specifier} is not known to be pure: import its types only, or inject it`);
    }
  }

  visit(source);
  return findings;
}

/** Whether an identifier only names a member: `a.fetch`, `{ fetch: 1 }`, `fetch(): void` in a type or class. */
function isPropertyName(node) {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  if (ts.isBindingElement(parent)) return parent.propertyName === node;
  return (
    (ts.isPropertySignature(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isGetAccessorDeclaration(parent) ||
      ts.isSetAccessorDeclaration(parent) ||
      ts.isEnumMember(parent)) &&
    parent.name === node
  );
}

/** `Math.max` and the like; not `Math.random`, `Math[…]` or `Math` handed on as a whole. */
function isHarmlessMath(node) {
  return (
    ts.isPropertyAccessExpression(node.parent) && node.parent.expression === node && node.parent.name.text !== 'random'
  );
}

/** Every source file in a `protocol/` folder of a package. */
export function protocolFiles(root) {
  return filesBelow(join(root, 'packages'), (path) => {
    const parts = relative(join(root, 'packages'), path).split(sep);
    return parts[1] === 'src' && parts.slice(2, -1).includes('protocol') && /\.tsx?$/.test(path);
  });
}

function main(args) {
  const root = rootOf(args);
  const files = protocolFiles(root);
  let count = 0;
  for (const path of files) {
    for (const { line, column, message } of check(path, readFileSync(path, 'utf8'))) {
      count += 1;
      console.log(`${relative(root, path)}:${line}:${column} ${message}`);
    }
  }
  console.log(`${files.length} protocol files, ${count} findings`);
  // A check that looks at nothing has not passed.
  process.exitCode = count > 0 || files.length === 0 ? 1 : 0;
}

if (import.meta.filename === process.argv[1]) main(process.argv.slice(2));
