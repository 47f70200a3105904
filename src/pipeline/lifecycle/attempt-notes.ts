import type { KnownEngine } from '../../engines/index.js'
import type { JobBoard } from '../../queue/index.js'

/** Writes into a job's history that a try has its sessions, and what of it is safe already. */
export async function noteAdmitted(
  board: JobBoard,
  jobId: string,
  admitted: { fence: number; engines: readonly KnownEngine[]; safeAudioMs: number },
): Promise<void> {
  const { fence, safeAudioMs } = admitted
  const engines = [...new Set(admitted.engines.map(hostOf))]
  await board.note(jobId, { kind: 'admitted', fence, engines, safeAudioMs })
}

/**
 * Writes into a job's history that a session broke. A view: the transcription doesn't wait for it,
 * and must not fail with it.
 */
export function noteSessionBroke(
  board: JobBoard,
  jobId: string,
  broke: { engine: KnownEngine; code: string },
): void {
  const engine = hostOf(broke.engine)
  const note = { kind: 'session-broke', engine, code: broke.code, times: 1 } as const
  board.note(jobId, note).catch(() => {}) // a view
}

/** The same of a session that was closed so that the others of its engine go on. */
export function noteSessionFreed(board: JobBoard, jobId: string, engine: KnownEngine): void {
  const note = { kind: 'session-freed', engine: hostOf(engine), times: 1 } as const
  board.note(jobId, note).catch(() => {}) // a view
}

/** Without credentials and path. */
function hostOf({ address }: KnownEngine): string {
  return new URL(address.url).host
}
