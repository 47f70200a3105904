/** A range of time in ms, the end not included; of a recording: counted from its start. */
export type MsRange = readonly [startMs: number, endMs: number]
