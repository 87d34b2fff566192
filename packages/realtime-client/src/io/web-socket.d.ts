/**
 * What `package.json` resolves to isomorphic-ws in Node and to `web-socket.browser.ts` in a browser's bundle. Declared here
 * because isomorphic-ws's own types need `@types/ws`, which a user would have to install: the client asks for less.
 */
declare module '#web-socket' {
  const WebSocketClass: import('./web-socket-transport.js').WebSocketConstructor;
  // biome-ignore lint/style/noDefaultExport: the package's own export
  export default WebSocketClass;
}
