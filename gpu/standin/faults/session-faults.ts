import type { WireErrorCode } from '../wire/server-event.js'
import type { CloseMoment, Fault, FaultKind, FaultParameters } from './fault-kinds.js'

type KindAfterDeltas = 'engine_death' | 'drop' | 'stall' | 'processing_error' | 'early_done'

/** The faults of one connection, with counts of the audio appended to the current utterance. */
export class SessionFaults {
  private readonly faults: ReadonlyMap<FaultKind, Fault>
  private appends = 0
  private appendedBytes = 0
  private hasToldError = false

  /** @param faults with all their parameters; of two of the same kind the first counts */
  constructor(faults: readonly Fault[]) {
    this.faults = new Map([...faults].reverse().map((fault) => [fault.kind, fault]))
  }

  /** The parameters of a fault; null when this session doesn't have it. */
  of<K extends FaultKind>(kind: K): FaultParameters<K> | null {
    return (this.faults.get(kind) as FaultParameters<K> | undefined) ?? null
  }

  /** True when a fault that waits for a number of deltas is due. */
  isDue(kind: KindAfterDeltas, deltas: number): boolean {
    const fault = this.of(kind)
    return fault !== null && deltas >= fault.afterDeltas
  }

  /** The code with which the connection is closed at this moment; null when it isn't. */
  closesAt(moment: CloseMoment, deltas = 0): number | null {
    const fault = this.of('close')
    if (fault?.at !== moment) return null
    return moment === 'delta' && deltas < fault.afterDeltas ? null : fault.code
  }

  /** The code of an error to be sent now, given out once; null for none. */
  takeError(deltas: number): WireErrorCode | null {
    const fault = this.of('error_frame')
    if (fault === null || this.hasToldError || deltas < fault.afterDeltas) return null
    this.hasToldError = true
    return fault.code
  }

  /** True when the text of this delta is lost. */
  isBlank(deltaIndex: number): boolean {
    const run = this.of('blank_run')
    return run !== null && deltaIndex >= run.fromDelta && deltaIndex <= run.toDelta
  }

  /** Number of unexplained deltas that follow after `deltas`. */
  extraAfter(deltas: number): number {
    const extra = this.of('extra_deltas')
    return extra?.afterDeltas === deltas ? extra.more : 0
  }

  /** Counts an append. @returns the code of the error that it is answered with; null for none */
  onAppend(pcmBytes: number): 'buffer_full' | 'invalid_audio' | null {
    this.appends += 1
    const full = this.of('buffer_full')
    const over = full === null ? 0 : this.appends - full.afterAppends
    if (full !== null && over > 0 && over <= full.times) return 'buffer_full'
    this.appendedBytes += pcmBytes
    const cap = this.of('invalid_audio')
    return cap !== null && this.appendedBytes > cap.afterBytes ? 'invalid_audio' : null
  }

  /** Resets the counts: the utterance is over. */
  onUtteranceEnd(): void {
    this.appends = 0
    this.appendedBytes = 0
  }
}
