/** Owns the seam between the client and what carries its frames. */

/** What a transport tells the client. After `onClose` it tells nothing more. */
export interface TransportHandlers {
  /** A frame; what is no JSON the client refuses. */
  onMessage(data: unknown): void;
  /** The connection ended, or could not be made (1006). Called once at most, never after `close()`. */
  onClose(close: { readonly code: number; readonly reason: string }): void;
}

/** What a transport that authenticates by itself has to know. */
export interface ConnectHint {
  /** The client will send `auth` when the welcome asks for it. */
  readonly hasToken?: boolean | undefined;
}

/** One connection, made or being made. */
export interface TransportConnection {
  /**
   * The other side has answered: this way of connecting works. Absent where a first message says the same.
   */
  readonly isEstablished?: boolean | undefined;
  /** Sends a frame. Dropped when the connection is not open. */
  send(text: string): void;
  /** Ends the connection, which may have ended by itself. From here on no handler is called. */
  close(code: number, reason?: string): void;
}

/** Makes connections. */
export interface Transport {
  /**
   * Starts a connection. The server speaks first, so there is no word of the opening; a transport on which it cannot says
   * the welcome itself.
   *
   * @throws TypeError when no connection can ever be made this way: the client then stops.
   */
  connect(handlers: TransportHandlers, hint?: ConnectHint): TransportConnection;
}
