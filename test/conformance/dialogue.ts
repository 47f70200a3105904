import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/**
 * One conversation with an engine, as a file: the first line is the header, every further line one
 * happening in the order in which the recording client saw it. `t` is in seconds.
 */
export interface Dialogue {
  header: DialogueHeader
  lines: DialogueLine[]
}

export interface DialogueHeader {
  dialogue: string
  /** What it shows, in words. */
  what: string
  /** Who answered when it was recorded, for example `vllm 0.32.0`. */
  engine: string
  /** The engine must be started with this one; the answers may depend on it. */
  max_model_len: number
  /** See `compareDialogue`. */
  compare: 'frames' | 'kinds'
  /** Bearer key to connect with; null for none. */
  key: string | null
  path: string
  /** A close code that a race may give instead of the recorded one. */
  closedAlso?: number
}

/** What the client does. */
export type ClientStep =
  /** An event as JSON; an append may give `samples` instead of `audio`: that much noise. */
  | { send: Record<string, unknown> }
  /** A text frame as it stands, well-formed or not. */
  | { sendText: string }
  /** A text frame of so many `x`. */
  | { sendTextBytes: number }
  | { sendBinaryBytes: number }
  | { ping: true }
  /** Closes, with 1000 unless `code` says otherwise; `code: null` sends none. */
  | { close: true; code?: number | null; reason?: string }
  /** Drops the connection without a close frame. */
  | { vanish: true }

/** What the client sees. */
export type ClientSight =
  | { recv: Record<string, unknown> }
  | { pong: true }
  | { closed: number; reason: string }
  /** HTTP status of an upgrade that was refused. */
  | { refused: number }

export type DialogueLine = { t: number } & (ClientStep | ClientSight)

/** Whether a line is something the client saw rather than did. */
export function isSight(line: ClientStep | ClientSight): line is ClientSight {
  return 'recv' in line || 'pong' in line || 'closed' in line || 'refused' in line
}

const FOLDER = new URL('./dialogues/', import.meta.url)

/** Every dialogue of the folder, by name. */
export function readDialogues(): Dialogue[] {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.ndjson'))
  return names.sort().map((name) => readDialogue(fileURLToPath(new URL(name, FOLDER))))
}

/** @throws SyntaxError when a line isn't JSON; Error when the file has no header */
export function readDialogue(path: string): Dialogue {
  const [first, ...rest] = readFileSync(path, 'utf8').trimEnd().split('\n')
  if (!first) throw new Error(`${path} is empty: its first line must be the dialogue's header.`)
  return {
    header: JSON.parse(first) as DialogueHeader,
    lines: rest.map((line) => JSON.parse(line) as DialogueLine),
  }
}

/** A dialogue as the text of its file. */
export function dialogueText({ header, lines }: Dialogue): string {
  return [header, ...lines].map((line) => `${JSON.stringify(line)}\n`).join('')
}
