/** Turns a handler of the Web's shape into one of node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toNodeHandler } from 'srvx/node';

/** Serves a request of node:http. */
export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** srvx's handlers take requests of HTTP/2 as well; these servers speak HTTP/1.1. */
export function nodeHandler(handler: (request: Request) => Response | Promise<Response>): NodeHandler {
  return toNodeHandler(handler) as NodeHandler;
}
