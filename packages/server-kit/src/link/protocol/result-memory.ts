/** Owns which commands were seen and what came of them, so that none is carried out twice: kept for a time, bounded. */

interface Seen<R> {
  result: R | undefined;
  /** When it is forgotten; a command that runs is not. */
  until: number | undefined;
}

/** What is known of a command. */
export type Seeing<R> =
  | { readonly kind: 'new' }
  | { readonly kind: 'running' }
  | { readonly kind: 'done'; readonly result: R }
  /** Too many are known: another could not be remembered, and so must not be carried out. */
  | { readonly kind: 'full' };

/** Results by request id. */
export class ResultMemory<R> {
  private readonly seen = new Map<string, Seen<R>>();

  constructor(private readonly bounds: { readonly maxResults: number; readonly ttlMs: number }) {}

  /** Commands known. */
  get size(): number {
    return this.seen.size;
  }

  /** Remembers a command. `new` for the first of its id: to be carried out. */
  begin(requestId: string, now: number): Seeing<R> {
    const known = this.look(requestId, now);
    if (known !== undefined) return known;
    this.seen.delete(requestId);
    if (this.seen.size >= this.bounds.maxResults) this.sweep(now);
    if (this.seen.size >= this.bounds.maxResults) return { kind: 'full' };
    this.seen.set(requestId, { result: undefined, until: undefined });
    return { kind: 'new' };
  }

  /** What came of a command. */
  finish(requestId: string, result: R, now: number): void {
    const entry = this.seen.get(requestId);
    // Again at the end, so that the oldest stand first.
    this.seen.delete(requestId);
    if (entry !== undefined) this.seen.set(requestId, { result, until: now + this.bounds.ttlMs });
  }

  /** What is known of a command; `undefined` for nothing. */
  look(requestId: string, now: number): Exclude<Seeing<R>, { kind: 'new' | 'full' }> | undefined {
    const entry = this.seen.get(requestId);
    if (entry === undefined || (entry.until !== undefined && entry.until <= now)) return undefined;
    return entry.until === undefined ? { kind: 'running' } : { kind: 'done', result: entry.result as R };
  }

  private sweep(now: number): void {
    for (const [requestId, { until }] of this.seen)
      if (until !== undefined && until <= now) this.seen.delete(requestId);
  }
}
