import type { JobRecord } from '../../src/queue/index.js'

/** The record of a job that was just submitted. */
export function recordOf(jobId: string): JobRecord {
  return {
    jobId,
    status: 'created',
    sourceName: 'a\nb.wav',
    priority: 3,
    deadlineAt: null,
    tenant: 'default',
    audioMsTotal: null,
    audioMsDone: 0,
    checkpointedAudioMs: 0,
    failuresSinceProgress: 0,
    fence: null,
    attempt: 0,
    error: null,
    waiting: null,
    warnings: [],
    engineIsStandin: null,
    cancelRequested: false,
    createdAtMs: 1_000,
    updatedAtMs: 1_000,
    reachedAtMs: { created: 1_000 },
  }
}
