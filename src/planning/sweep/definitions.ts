/** What every figure of a sweep means; part of each report. */
export const DEFINITIONS = {
  load: 'Open loop: every session of a step is opened at its own time within the stagger and fed 80 ms frames on an absolute schedule, whatever the engine does; its audio is long enough that all sessions are fed at the same time for the seconds asked for. Before each step one utterance warms the engine up; it is not counted.',
  first_delta_ms:
    'First audio packet sent until the first delta, with or without text: how soon the engine answers.',
  ttft_ms:
    'First audio packet sent until the first delta with text. The model delays text by 480 ms, and a session that begins in a pause has none to write.',
  delta_lag_ms:
    'How long after the audio packet that makes it possible each delta comes: the distance of the audio cursor from the newest token, at pace 1. Deltas that were possible and never came count with the time they had been waited for. Those of the tail, after the last packet, are in finalization.',
  finalization_ms: 'Last audio packet sent until done.',
  overrun_ms:
    'First audio packet sent until done, less the length of the audio at its pace. It holds the finalization.',
  sender_slip_ms: 'How long after it was due each audio packet left: the lateness of this program.',
  queue_wait_ms:
    'Planned start of a session until it was admitted to the engine; 0 without a limiter.',
  connect_ms: 'Beginning of the connect until session.created.',
  deltas_per_second:
    'Deltas of all sessions together, by whole second, while every session is fed; 12.5 a session are due at pace 1.',
  kv: 'Blocks by the engine’s own gauge, and by the KV law out of the deltas received. The error is what the gauge shows beyond anything the law gives between 100 ms before the request and 100 ms after its answer, more than 1 s after an open or close.',
  held_ms: 'How long all sessions were fed at the same time.',
  percentiles:
    'By nearest rank. Lag and slip are pooled over all sessions of a step; worst_session is the one with the greatest value.',
  holds:
    'A step holds when every session ends well and gets exactly the deltas that its audio gives, delta lag p99 and finalization p95 stay within the bound, no single session has a lag p95 above it, no session overruns by more than 1 % of its audio (or by the bound, in short steps), and the engine preempts no session. The bound is the SLA plus the time by which the engine holds text back by design. It is unclear when this program was itself late (slip p99 above 80 ms) and no session broke, or when it was stopped.',
  knee: 'The last step whose delta lag p99 is at most one model step (80 ms) above that of the smallest step; none where no later step left it.',
} as const
