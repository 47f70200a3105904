import { NightscribeError, reasonOf } from '../../kernel/errors.js'
import type { SessionOutcome } from '../../planning/sweep/events.js'

/** What an error of a session counts as in a sweep. `detail` is one sentence, for people. */
export function outcomeOf(error: unknown): {
  outcome: SessionOutcome
  code: string
  detail: string
} {
  const detail = reasonOf(error)
  if (!(error instanceof NightscribeError)) return { outcome: 'error', code: 'internal', detail }
  const { code, facts } = error
  if (typeof facts.closeCode === 'number') {
    return { outcome: 'closed', code: `close_${facts.closeCode}`, detail }
  }
  if (typeof facts.status === 'number') {
    return { outcome: 'rejected', code: `http_${facts.status}`, detail }
  }
  if (code === 'session_stalled') return { outcome: 'timeout', code, detail }
  if (code === 'engine_unauthorized') return { outcome: 'rejected', code, detail }
  if (typeof facts.engineCode === 'string')
    return { outcome: 'error', code: facts.engineCode, detail }
  return { outcome: 'error', code, detail }
}
