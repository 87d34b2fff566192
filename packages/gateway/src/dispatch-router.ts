/** Owns whom a dispatch is told. Each is asked once for a name, until one says that it wants something else. */
import type { DispatchMeta } from './events.js';
import type { DispatchFilter } from './protocol/frames.js';

/** Someone who may want dispatches. */
export interface DispatchSink {
  /** Whether dispatches of that name concern it: of those that concern nobody the body is not even parsed. */
  wants(name: string): boolean;
  push(name: string, data: unknown, meta: DispatchMeta): void;
}

/** More names than Discord has: beyond that it begins anew, whatever names come. */
const MAX_ROUTES = 512;

/** The way of dispatches to all that want them. */
export class DispatchRouter implements DispatchFilter {
  private readonly routes = new Map<string, readonly DispatchSink[]>();
  private someUnwanted = false;
  /** The last one asked for: each dispatch is asked for twice, and many are like the one before. */
  private lastName: string | undefined;
  private lastRoute: readonly DispatchSink[] = [];

  /** @param sinks In the order in which they are told. @param everything One that wants all or nothing, as it likes. */
  constructor(
    private readonly sinks: readonly DispatchSink[],
    private readonly everything: DispatchSink,
  ) {}

  /** To be called when a sink wants other names than before. */
  readonly reset = (): void => {
    this.routes.clear();
    this.lastName = undefined;
    this.lastRoute = [];
    this.someUnwanted = false;
  };

  get wantsAll(): boolean {
    return !this.someUnwanted;
  }

  wants(name: string): boolean {
    if (this.routeOf(name).length > 0 || this.everything.wants(name)) return true;
    this.someUnwanted = true;
    return false;
  }

  push(name: string, data: unknown, meta: DispatchMeta): void {
    for (const sink of this.routeOf(name)) sink.push(name, data, meta);
    if (this.everything.wants(name)) this.everything.push(name, data, meta);
  }

  private routeOf(name: string): readonly DispatchSink[] {
    if (name !== this.lastName) {
      this.lastRoute = this.routes.get(name) ?? this.findRoute(name);
      this.lastName = name;
    }
    return this.lastRoute;
  }

  private findRoute(name: string): readonly DispatchSink[] {
    if (this.routes.size >= MAX_ROUTES) this.routes.clear();
    const route = this.sinks.filter((sink) => sink.wants(name));
    this.routes.set(name, route);
    return route;
  }
}
