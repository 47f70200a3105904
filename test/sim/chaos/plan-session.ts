import type { LegLease } from '../../../src/admission/lane/leg-lease.js'
import { sleepFor } from '../../../src/kernel/clock.js'
import { UpstreamError } from '../../../src/kernel/errors.js'
import type { Random } from '../../../src/kernel/random.js'
import { STEP_MS, STEP_SAMPLES } from '../../../src/model/pcm.js'
import { deltasDue, deltasTotal } from '../../../src/model/step-law.js'
import type { LegTrouble } from '../../../src/planning/simulated-leg.js'
import type {
  SessionProgress,
  SessionRequest,
  SessionResult,
} from '../../../src/realtime/run-session.js'
import type { WordGroup } from '../../../src/transcript/words/align.js'
import { WORD_FRAMES } from './plan-engine.js'
import type { SimulatedProcess } from './simulated-process.js'

/** Frames that are looked at together, where none of them needs a block. */
const FRAMES_AT_ONCE = 6
/** As the watchdog of a session has it. */
const STALL_TIMEOUT_MS = 3_000

/** One session of a night without sockets. */
export interface PlanSession {
  process: SimulatedProcess
  request: SessionRequest
  lease: LegLease
  random: Random
  trouble: LegTrouble
  frameMs: number
  /** Ends of the words that are said, frames of the recording in order. */
  words: readonly number[]
  /** Aborts with what it fails with. */
  broken: AbortSignal
  isStalled(): boolean
  heard(frames: number): void
  finished(frames: number): void
}

/**
 * Carries one leg without audio, as `RunningSession` does: some frames at a time, each border asked
 * for, and the deltas that are due for them. Says every word that lies in the leg whole.
 */
export async function runPlanSession(
  session: PlanSession,
  signal: AbortSignal,
): Promise<SessionResult> {
  const either = AbortSignal.any([signal, session.broken])
  try {
    const answers = new Answers(session)
    await sendFrames(session, answers, either)
    const { lease, process, random, trouble } = session
    session.finished(lease.frames)
    await sleepFor(process.clock, random.uniform() * trouble.tailMaxMs, { signal: either })
    if (random.uniform() < trouble.lateCloseShare) {
      const lateMs = random.uniform() * trouble.lateCloseMaxMs
      await sleepFor(process.clock, lateMs, { signal: either })
    }
    await process.awake()
    either.throwIfAborted()
    return answers.result(lease.frames)
  } catch (error) {
    await session.process.awake()
    throw error
  }
}

async function sendFrames(
  session: PlanSession,
  answers: Answers,
  signal: AbortSignal,
): Promise<void> {
  const { process, lease, random, trouble, frameMs } = session
  const { clock } = process
  const failsAt = random.uniform() < trouble.failShare ? random.uniform() * lease.frames : null
  let heldMs = 0
  let sent = 0
  let askedBorder = -1
  while (sent < lease.frames) {
    const border = lease.blockFrameAfter(sent)
    const index = Math.min(border, sent + FRAMES_AT_ONCE - 1, lease.frames - 1)
    await clock.sleepUntil(lease.startMs + index * frameMs + heldMs, { signal })
    // Its end was moved meanwhile.
    if (index > lease.frames - 1) continue
    if (session.isStalled()) await stall(session, signal)
    if (failsAt !== null && index >= failsAt) throw gone()
    if (index === border && border !== askedBorder && random.uniform() < trouble.slipShare) {
      await sleepFor(clock, random.uniform() * trouble.slipMaxMs, { signal })
    }
    askedBorder = border
    const asked = lease.permit(index, clock.monotonicMs(), { signal })
    if (asked) {
      await asked
      heldMs = Math.max(heldMs, clock.monotonicMs() - lease.startMs - index * frameMs)
    }
    signal.throwIfAborted()
    sent = index + 1
    session.heard(sent)
    answers.heard(sent)
  }
}

async function stall({ process }: PlanSession, signal: AbortSignal): Promise<never> {
  await sleepFor(process.clock, STALL_TIMEOUT_MS, { signal })
  throw new UpstreamError('session_stalled', 'Nothing came for 3 s.', { facts: {} })
}

function gone(): UpstreamError {
  return new UpstreamError('engine_crashed', 'The connection is gone (1006).')
}

/** The deltas of a leg, and the words in them. */
class Answers {
  private readonly session: PlanSession
  private readonly groups: WordGroup[] = []
  private readonly words: readonly number[]
  private said = 0
  private deltas = 0
  private frames = 0
  private readonly progress: SessionProgress

  constructor(session: PlanSession) {
    this.session = session
    const { fromFrame } = session.lease
    this.words = session.words.filter((frame) => frame - WORD_FRAMES >= fromFrame)
    const answers = this
    this.progress = {
      get deltas() {
        return answers.deltas
      },
      get answeredMs() {
        return Math.min(answers.frames, answers.deltas) * STEP_MS
      },
      isExact: true,
      writing: () => null,
    }
  }

  heard(frames: number): void {
    this.frames = frames
    this.take(deltasDue(frames * STEP_SAMPLES))
  }

  result(frames: number): SessionResult {
    const samples = frames * STEP_SAMPLES
    this.take(deltasTotal(samples))
    const { deltas, groups } = this
    return { samples, deltas, blankDeltas: 0, usage: null, verified: true, groups }
  }

  private take(deltas: number): void {
    if (deltas <= this.deltas) return
    this.deltas = deltas
    const { request, lease } = this.session
    for (;;) {
      const frame = this.words[this.said]
      if (frame === undefined || frame - lease.fromFrame >= deltas) break
      // What comes after the end of the audio isn't heard.
      if (frame > lease.fromFrame + this.frames) break
      const step = frame - lease.fromFrame
      const group = { text: ` w${frame}`, endMs: frame * STEP_MS, leg: request.leg, step }
      this.said += 1
      this.groups.push(group)
      request.onGroup(group)
    }
    request.onProgress(this.progress)
  }
}
