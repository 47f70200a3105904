/** A stretch of time in ms, the end not included; of a recording: from its start. */
export type MsRange = readonly [startMs: number, endMs: number]
