/**
 * The client's end of a connection, as seen from the server's end: a socket, or a link in the
 * process.
 */
export interface Wire {
  readonly isOpen: boolean
  /** True when the client reads too slowly: send nothing until `drained` is called. */
  readonly isFull: boolean
  /** Sends one text frame; does nothing when the wire isn't open. */
  send(frame: string): void
  /** Closes the connection; code 1006 ends it without a close frame. */
  close(code: number): void
}
