import { NightscribeError, reasonOf } from '../../kernel/errors.js'
import type { SessionOutcome } from '../../planning/sweep/events.js'
import {
  EndpointMissing,
  EngineError,
  SessionClosed,
  UpgradeRefused,
} from '../../realtime/session-failure.js'

/**
 * The outcome that a session's error counts as in a sweep. `detail` is one sentence, for people.
 */
export function outcomeOf(error: unknown): {
  outcome: SessionOutcome
  code: string
  detail: string
} {
  const detail = reasonOf(error)
  if (!(error instanceof NightscribeError)) return { outcome: 'error', code: 'internal', detail }
  const { code } = error
  if (error instanceof SessionClosed) {
    return { outcome: 'closed', code: `close_${error.closeCode}`, detail }
  }
  if (error instanceof UpgradeRefused || error instanceof EndpointMissing) {
    return { outcome: 'rejected', code: `http_${error.status}`, detail }
  }
  if (code === 'session_stalled') return { outcome: 'timeout', code, detail }
  if (error instanceof EngineError && error.engineCode !== null) {
    return { outcome: 'error', code: error.engineCode, detail }
  }
  return { outcome: 'error', code, detail }
}
