import { LatencyHistogram } from './latency-histogram.js'
import { NO_TALLY, type WorkTally } from './work-tally.js'

/** Marks of one session of a job. Times are of one monotonic clock, in ms. */
export interface SessionMarks {
  /** The socket is open and the server has greeted, `durationMs` after the connect began. */
  connected(durationMs: number): void
  /** A frame was sent, `slipMs` after it was due. */
  frameSent(nowMs: number, slipMs: number): void
  /** A delta came; `lagMs` is how far the newest token is behind the audio that was sent. */
  deltaReceived(nowMs: number, lagMs: number, hasText: boolean): void
  /** The sender was held back for `durationMs` because the engine was behind. */
  held(durationMs: number): void
  /** The session is complete. */
  finished(nowMs: number): void
}

/** What the sessions of one attempt measured together; null where nothing was measured. */
export interface JobFigures {
  /** Longest connect of a session. */
  connectMs: number | null
  /** First audio packet sent → first non-empty delta received, both of the attempt. */
  firstTextMs: number | null
  /** Audio sent so far minus audio time of the newest token, at every delta. */
  deltaLatency: LatencyHistogram
  /** Last audio packet sent → done; the longest of all sessions. */
  finalizationMs: number | null
  /** First audio packet sent → last done. */
  replayWallMs: number | null
  /** How long after it was due each frame was sent. */
  senderSlip: LatencyHistogram
  /** How often a sender was held back; `heldMs`: for how long in all. */
  stalls: number
  heldMs: number
  rotations: number
  reconnects: number
  /** Deltas of all sessions, also of failed ones; empty deltas are included. */
  tokens: number
  blankTokens: number
}

/**
 * Collects the marks of all sessions of one attempt. Its memory doesn't grow with the number of
 * legs and lanes. It only adds up: the marks of several sessions may come in any order, and
 * `figures` may be read at any time.
 */
export class JobMeter {
  private connectMs: number | null = null
  private firstFrameMs: number | null = null
  private firstTextAtMs: number | null = null
  private lastDoneMs: number | null = null
  private finalizationMs: number | null = null
  private stalls = 0
  private heldMs = 0
  private rotations = 0
  private reconnects = 0
  private tokens = 0
  private blankTokens = 0
  private readonly deltaLatency = new LatencyHistogram()
  private readonly senderSlip = new LatencyHistogram()
  private readonly tally: WorkTally

  /** @param tally counts rotations, reconnects and audio sent again, of all jobs together */
  constructor(tally: WorkTally = NO_TALLY) {
    this.tally = tally
  }

  /** The marks for one more session. */
  session(): SessionMarks {
    let lastFrameMs: number | null = null
    return {
      connected: (durationMs) => {
        this.connectMs = greater(this.connectMs, durationMs)
      },
      frameSent: (nowMs, slipMs) => {
        lastFrameMs = nowMs
        this.firstFrameMs = lesser(this.firstFrameMs, nowMs)
        this.senderSlip.record(slipMs)
      },
      deltaReceived: (nowMs, lagMs, hasText) => {
        this.tokens += 1
        this.deltaLatency.record(lagMs)
        if (hasText) this.firstTextAtMs = lesser(this.firstTextAtMs, nowMs)
        else this.blankTokens += 1
      },
      held: (durationMs) => {
        this.stalls += 1
        this.heldMs += durationMs
      },
      finished: (nowMs) => {
        this.lastDoneMs = greater(this.lastDoneMs, nowMs)
        if (lastFrameMs === null) return
        this.finalizationMs = greater(this.finalizationMs, nowMs - lastFrameMs)
      },
    }
  }

  /** To be called at every change from one leg of a lane to the next. */
  rotated(): void {
    this.rotations += 1
    this.tally.rotated()
  }

  /** A session failed and its leg is replayed again. */
  reconnected(): void {
    this.reconnects += 1
    this.tally.reconnected()
  }

  /** `audioMs` of audio that had been sent is sent again. */
  redone(audioMs: number): void {
    this.tally.redone(audioMs)
  }

  figures(): JobFigures {
    return {
      connectMs: this.connectMs,
      firstTextMs: difference(this.firstTextAtMs, this.firstFrameMs),
      deltaLatency: this.deltaLatency,
      finalizationMs: this.finalizationMs,
      replayWallMs: difference(this.lastDoneMs, this.firstFrameMs),
      senderSlip: this.senderSlip,
      stalls: this.stalls,
      heldMs: this.heldMs,
      rotations: this.rotations,
      reconnects: this.reconnects,
      tokens: this.tokens,
      blankTokens: this.blankTokens,
    }
  }
}

function greater(left: number | null, right: number): number {
  return left === null ? right : Math.max(left, right)
}

function lesser(left: number | null, right: number): number {
  return left === null ? right : Math.min(left, right)
}

function difference(later: number | null, earlier: number | null): number | null {
  return later === null || earlier === null ? null : later - earlier
}
