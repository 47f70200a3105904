import type { KnownEngine } from '../../engines/index.js'
import type { CallOptions } from '../../kernel/abort.js'
import type { JobStore } from '../../queue/index.js'
import type { JobView } from '../index.js'

/** Writes into a job's history that an attempt has its sessions, and how much audio is safe. */
export async function recordAdmission(
  jobStore: JobStore,
  jobId: string,
  admitted: { attempt: number; engines: readonly KnownEngine[]; checkpointedAudioMs: number },
  options: CallOptions,
): Promise<void> {
  const { attempt, checkpointedAudioMs } = admitted
  const engines = [...new Set(admitted.engines.map(hostOf))]
  await jobStore.appendHistory(
    jobId,
    { kind: 'admitted', attempt, engines, checkpointedAudioMs },
    options,
  )
}

/**
 * Writes into a job's history that a session broke. Only shown to people: the transcription doesn't
 * wait for the write, and an error of it is dropped.
 */
export function recordBrokenSession(
  view: JobView,
  jobId: string,
  broke: { engine: KnownEngine; code: string },
  options: CallOptions,
): void {
  const engine = hostOf(broke.engine)
  const entry = { kind: 'session-broke', engine, code: broke.code, times: 1 } as const
  view.appendHistory(jobId, entry, options).catch(() => {}) // only shown to people
}

/** Like `recordBrokenSession`, for a session closed so that the others of its engine can go on. */
export function recordEviction(
  view: JobView,
  jobId: string,
  engine: KnownEngine,
  options: CallOptions,
): void {
  const entry = { kind: 'session-evicted', engine: hostOf(engine), times: 1 } as const
  view.appendHistory(jobId, entry, options).catch(() => {}) // only shown to people
}

/** Host and port of an engine, without the credentials and the path of its address. */
function hostOf({ address }: KnownEngine): string {
  return new URL(address.url).host
}
