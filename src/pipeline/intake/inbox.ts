import { sleepFor } from '../../kernel/clock.js'
import { NightscribeError } from '../../kernel/errors.js'
import {
  SUBMISSION_DEFAULTS,
  type SubmissionOptions,
} from '../../queue/contract/submission-options.js'
import type { ObjectHead } from '../../storage/index.js'
import { INBOX_PREFIX } from '../../storage/keys.js'
import type { IntakePorts } from '../index.js'
import { sourceAddress } from './source-address.js'
import { submitRecording } from './submit-recording.js'

/** Options of the watch over the inbox. */
export interface InboxOptions {
  /** A recording is taken once it has been unchanged for this long, in ms. */
  settleMs: number
  scanIntervalMs: number
  /** Of the recordings that are found. */
  pace: SubmissionOptions['pace']
  signal: AbortSignal
  onSubmitted(name: string, jobId: string): void
  onRefused(name: string, sentence: string): void
}

interface Seen {
  /** Size and modification time: a file that is still being copied changes one of them. */
  mark: string
  sinceMs: number
  taken: boolean
}

/**
 * Submits recordings that are dropped below `inbox/`, each content once, until the signal aborts.
 * The objects stay where they are. Those that are there at the start are submitted too: a recording
 * that has a transcript is not transcribed again.
 */
export async function watchInbox(ports: IntakePorts, options: InboxOptions): Promise<void> {
  const { signal } = options
  const seen = new Map<string, Seen>()
  while (!signal.aborted) {
    const present = new Set<string>()
    for await (const head of ports.store.list(INBOX_PREFIX, { signal })) {
      present.add(head.key)
      if (ripe(seen, head, ports.clock.monotonicMs(), options.settleMs)) {
        await take(ports, head, options)
      }
    }
    for (const key of seen.keys()) if (!present.has(key)) seen.delete(key)
    await sleepFor(ports.clock, options.scanIntervalMs, { signal })
  }
}

function ripe(seen: Map<string, Seen>, head: ObjectHead, nowMs: number, settleMs: number): boolean {
  const mark = `${head.bytes} ${head.modifiedMs}`
  const known = seen.get(head.key)
  if (!known || known.mark !== mark) {
    seen.set(head.key, { mark, sinceMs: nowMs, taken: false })
    return false
  }
  if (known.taken || nowMs - known.sinceMs < settleMs) return false
  known.taken = true
  return true
}

async function take(ports: IntakePorts, head: ObjectHead, options: InboxOptions): Promise<void> {
  const name = head.key.slice(INBOX_PREFIX.length)
  try {
    const address = sourceAddress(ports.store, head.key)
    const submission = { ...SUBMISSION_DEFAULTS, pace: options.pace, ...address, name }
    const outcome = await submitRecording(ports, submission, options)
    if (outcome.kind === 'queued') options.onSubmitted(name, outcome.jobId)
  } catch (error) {
    if (!(error instanceof NightscribeError) || error.name !== 'InputError') throw error
    options.onRefused(name, `${error.message} [${error.code}]`)
  }
}
