/** Owns the reading of a page for Prometheus: single values, and what share of a histogram lies below what. Pure. */

/** One line of the page. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Labels that a sample has to have. */
type Where = Readonly<Record<string, string>>;

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ([^ ]+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of a page; comments and what is no sample are passed over. */
export function parseMetrics(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, inside = '', value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) return [];
    const labels = Object.fromEntries([...inside.matchAll(LABEL)].map(([, label, of = '']) => [label, of]));
    return [{ name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) }];
  });
}

const fits = (labels: Where, where: Where): boolean =>
  Object.entries(where).every(([label, value]) => labels[label] === value);

/** The sum of a metric's values. */
export function sumOf(samples: readonly Sample[], name: string, where: Where = {}): number {
  return samples.reduce((sum, each) => (each.name === name && fits(each.labels, where) ? sum + each.value : sum), 0);
}

/**
 * The value below which a share of a histogram's measurements lies, between its bounds in proportion, as Prometheus has it.
 *
 * @returns `undefined` without a measurement. What lies above the last bound is given as that bound.
 */
export function quantileOf(
  samples: readonly Sample[],
  name: string,
  share: number,
  where: Where = {},
): number | undefined {
  const buckets = new Map<number, number>();
  for (const { name: of, labels, value } of samples) {
    if (of !== `${name}_bucket` || !fits(labels, where)) continue;
    const bound = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
    buckets.set(bound, (buckets.get(bound) ?? 0) + value);
  }
  const steps = [...buckets].sort(([a], [b]) => a - b);
  const total = steps.at(-1)?.[1] ?? 0;
  if (total === 0) return undefined;
  const wanted = share * total;
  let [below, before] = [0, 0];
  for (const [bound, upTo] of steps) {
    if (upTo >= wanted && upTo > before) {
      return bound === Number.POSITIVE_INFINITY
        ? below
        : below + ((bound - below) * (wanted - before)) / (upTo - before);
    }
    [below, before] = [bound, upTo];
  }
  return below;
}
