/** The package's own types need `@types/ws`, which a user would have to install: the client asks for less. */
declare module 'isomorphic-ws' {
  const WebSocketClass: import('./web-socket-transport.js').WebSocketConstructor;
  // biome-ignore lint/style/noDefaultExport: the package's own export
  export default WebSocketClass;
}
