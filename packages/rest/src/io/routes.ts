/**
 * Owns the memory of paths that were checked and templated before: a bot asks for the same few again and again, and doing
 * both anew costs as much as a limit. Bounded, and holds no path with a token.
 */
import { type RouteInfo, routeOf } from '../protocol/route.js';

/** Paths remembered per method. When they are that many, all are forgotten: dearer rules would cost every request. */
const MAX_PATHS = 1_000;

/** The routes of one client. */
export class Routes {
  private readonly known = new Map<string, Map<string, RouteInfo>>();

  /** The route of a path that was added. */
  find(method: string, path: string): RouteInfo | undefined {
    return this.known.get(method)?.get(path);
  }

  /** The route of a path that is fit to be sent. */
  add(method: string, path: string): RouteInfo {
    const route = routeOf(method, path);
    if (!isWorthRemembering(path, route)) return route;
    let paths = this.known.get(method);
    if (paths === undefined) {
      paths = new Map();
      this.known.set(method, paths);
    }
    if (paths.size >= MAX_PATHS) paths.clear();
    paths.set(path, route);
    return route;
  }
}

/** A token must not outlive its request here; a message's id or a query is seldom the same again. */
function isWorthRemembering(path: string, { template }: RouteInfo): boolean {
  return !template.includes(':token') && template.indexOf(':') === template.lastIndexOf(':') && !path.includes('?');
}
