/** Owns the WebSocket where the platform has one: `package.json` gives bundlers for browsers this instead of isomorphic-ws. */
import type { WebSocketConstructor } from './web-socket-transport.js';

const WebSocketClass: WebSocketConstructor = (globalThis as unknown as { WebSocket: WebSocketConstructor }).WebSocket;
// biome-ignore lint/style/noDefaultExport: in the place of isomorphic-ws, which has one
export default WebSocketClass;
