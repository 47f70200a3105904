/** The client's end of a connection, as the server's end sees it: a socket, or none at all. */
export interface Wire {
  readonly isOpen: boolean
  /**
   * The client takes too little of what is sent: nothing should follow until it is told that the
   * wire has drained.
   */
  readonly isFull: boolean
  /** One text frame; nothing when it isn't open. */
  send(frame: string): void
  /** 1006 ends it without a close frame. */
  close(code: number): void
}
