/**
 * Runs steps that need one another on a number of slots (cores). Knows nothing of what a step does.
 *
 * A step is `{ name, needs?, slots?, run }`; `run` resolves with `{ ok, … }`. A step whose need failed is not run.
 */

/** @returns the results by name, in the order of the steps: `{ name, status, ms, … }`, status `ok`, `failed` or `not run`. */
export function runSteps(steps, { slots, onStart = () => {}, onEnd = () => {} }) {
  const results = new Map();
  const waiting = [...steps];
  let free = slots;
  let active = 0;
  const known = new Set(steps.map((step) => step.name));

  return new Promise((resolve) => {
    const settle = (step, result) => {
      results.set(step.name, { name: step.name, ...result });
      onEnd(results.get(step.name));
    };

    function pump() {
      for (const step of [...waiting]) {
        const needs = (step.needs ?? []).filter((need) => known.has(need));
        if (needs.some((need) => results.has(need) && results.get(need).status !== 'ok')) {
          waiting.splice(waiting.indexOf(step), 1);
          const blocker = needs.find((need) => results.has(need) && results.get(need).status !== 'ok');
          settle(step, { status: 'not run', ms: 0, summary: `needs ${blocker}` });
          pump();
          return;
        }
      }
      for (const step of [...waiting]) {
        const ready = (step.needs ?? []).every((need) => !known.has(need) || results.has(need));
        const size = Math.min(step.slots ?? 1, slots);
        if (!ready || size > free) {
          // A big step that is ready keeps later ones from overtaking it for ever.
          if (ready) break;
          continue;
        }
        waiting.splice(waiting.indexOf(step), 1);
        free -= size;
        active += 1;
        const started = performance.now();
        onStart(step);
        Promise.resolve()
          .then(() => step.run())
          .catch((error) => ({ ok: false, output: error?.stack ?? String(error) }))
          .then(({ ok, ...rest }) => {
            free += size;
            active -= 1;
            settle(step, { status: ok ? 'ok' : 'failed', ms: performance.now() - started, ...rest });
            pump();
          });
      }
      if (active === 0 && waiting.length === 0) resolve(steps.map((step) => results.get(step.name)));
    }
    pump();
  });
}
