/**
 * Exhaustive breadth-first search over the abstract states of a pure reducer. The search ends when no new abstract
 * state turns up: then every invariant has been checked on every transition of the model.
 */

/** One edge of the search. */
export interface Edge<State, Input, Effect> {
  readonly from: State;
  readonly input: Input;
  readonly to: State;
  readonly effects: readonly Effect[];
}

/** What is searched. */
export interface Model<State, Input, Effect> {
  readonly initial: State;
  /** Every input worth trying in a state, faults and stale ones included. */
  inputs(state: State): readonly Input[];
  step(state: State, input: Input): { readonly state: State; readonly effects: readonly Effect[] };
  /** What makes two states the same for the search: relative times, capped counters. */
  key(state: State): string;
  /** The name of the broken rule, `undefined` when all hold. */
  invariant(edge: Edge<State, Input, Effect>): string | undefined;
  /** A short name of an input, for the path to a violation and for diagrams. */
  label(input: Input): string;
  /** A short name of a state, for diagrams. */
  phase(state: State): string;
  /** Gives up after so many abstract states. */
  readonly maxStates?: number | undefined;
}

/** What the search found. */
export interface Exploration {
  /** The first broken rule and the shortest path to it. */
  readonly violation: { readonly rule: string; readonly path: readonly string[] } | undefined;
  /** Every reachable abstract state was expanded. */
  readonly complete: boolean;
  readonly states: number;
  readonly transitions: number;
  /** `from|label|to` between phases, for a state diagram. */
  readonly phaseEdges: readonly { readonly from: string; readonly label: string; readonly to: string }[];
}

/** Searches a model to a fixpoint. */
export function explore<State, Input, Effect>(model: Model<State, Input, Effect>): Exploration {
  const { initial, maxStates = 200_000 } = model;
  const seen = new Set([model.key(initial)]);
  const phaseEdges = new Map<string, { from: string; label: string; to: string }>();
  interface Node {
    readonly state: State;
    readonly parent: Node | undefined;
    readonly label: string;
  }
  let frontier: Node[] = [{ state: initial, parent: undefined, label: '' }];
  let transitions = 0;

  const pathTo = (node: Node | undefined): string[] =>
    node?.parent === undefined ? [] : [...pathTo(node.parent), node.label];

  while (frontier.length > 0 && seen.size < maxStates) {
    const next: Node[] = [];
    for (const node of frontier) {
      for (const input of model.inputs(node.state)) {
        const { state, effects } = model.step(node.state, input);
        transitions += 1;
        const label = model.label(input);
        const rule = model.invariant({ from: node.state, input, to: state, effects });
        if (rule !== undefined) {
          const violation = { rule, path: [...pathTo(node), label] };
          return { violation, complete: false, states: seen.size, transitions, phaseEdges: [...phaseEdges.values()] };
        }
        const from = model.phase(node.state);
        const to = model.phase(state);
        if (from !== to) phaseEdges.set(`${from}|${label}|${to}`, { from, label, to });
        const key = model.key(state);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ state, parent: node, label });
      }
    }
    frontier = next;
  }
  return {
    violation: undefined,
    complete: frontier.length === 0,
    states: seen.size,
    transitions,
    phaseEdges: [...phaseEdges.values()],
  };
}

/** Draws the phases of an exploration as a Mermaid state diagram, labels of one arrow joined. */
export function toMermaid({ phaseEdges }: Exploration): string {
  const arrows = new Map<string, Set<string>>();
  for (const { from, label, to } of phaseEdges) {
    const arrow = `${from} --> ${to}`;
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(label));
  }
  const lines = [...arrows].map(([arrow, labels]) => `  ${arrow}: ${[...labels].sort().join(', ')}`);
  return ['stateDiagram-v2', ...lines.sort()].join('\n');
}
