import { z } from 'zod'

const ms = z
  .int()
  .min(0)
  .max(7 * 24 * 3600 * 1000)
const count = z.int().min(1).max(100_000)

/**
 * Every setting, with its default. Names carry their units; `config/default.yaml` explains each.
 */
export const settingsSchema = z.strictObject({
  /** Where recordings and results are kept: a folder, or `s3://bucket/prefix`. */
  storage: z.string().min(1).default('data'),
  s3: z
    .strictObject({
      endpoint: z.url().nullable().default(null),
      region: z.string().min(1).default('us-east-1'),
      accessKeyId: z.string().nullable().default(null),
      secretAccessKey: z.string().nullable().default(null),
      pathStyle: z.boolean().nullable().default(null),
      checksums: z.enum(['when_required', 'always']).default('when_required'),
    })
    .prefault({}),
  /** Null: `up` starts a Redis of its own. */
  redisUrl: z.string().min(1).nullable().default(null),
  /** Realtime endpoints of the engines; empty: `up` starts the stand-in. */
  engines: z
    .array(z.url({ protocol: /^wss?$/ }))
    .max(64)
    .default([]),
  engineKey: z.string().min(1).nullable().default(null),
  engine: z
    .strictObject({
      model: z.string().min(1).default('mistralai/Voxtral-Mini-4B-Realtime-2602'),
      /** Most lanes at a time on each engine; null: as many as the policy finds room for. */
      sessionsMax: z.int().min(1).max(1000).nullable().default(null),
      /** Profile in `config/gpus`; null: KV blocks from the server alone, and no step budget. */
      gpu: z
        .string()
        .regex(/^[a-z0-9-]{1,40}$/)
        .nullable()
        .default(null),
      pricePerHour: z.number().min(0).max(10_000).nullable().default(null),
      deltaDelayMs: ms.default(0),
      connectTimeoutMs: ms.default(10_000),
      createdTimeoutMs: ms.default(10_000),
      stallTimeoutMs: ms.default(3_000),
      doneTimeoutMs: ms.default(30_000),
      blankSpeechMaxMs: ms.default(16_000),
      lagMaxMs: ms.default(4_000),
    })
    .prefault({}),
  standin: z
    .strictObject({
      /** Folder of another speech model; null: the one that set-up fetches. */
      modelPath: z.string().min(1).nullable().default(null),
    })
    .prefault({}),
  admission: z
    .strictObject({
      policy: z.enum(['fixed', 'reserve', 'profile', 'elastic']).default('elastic'),
      /** Share of the engine's KV blocks that sessions may use in all. */
      safetyFactor: z.number().min(0.1).max(1).default(0.96),
      /** Share of those blocks that is kept for live sessions. */
      liveShare: z.number().min(0).max(0.9).default(0),
      /** Share of 80 ms that one step of the engine may take. */
      stepShare: z.number().min(0.1).max(1).default(0.8),
      /** Lag (p99, ms) above which fewer sessions run; `engine.deltaDelayMs` is added. */
      kneeLagMs: ms.min(100).default(2_000),
      /**
       * Every such time of waiting counts as one step of priority, so that no job waits for ever.
       */
      agingMs: ms.min(1_000).default(1_800_000),
    })
    .prefault({}),
  legs: z
    .strictObject({
      /** Shortest segment of a longer recording that one session transcribes. */
      floorMs: ms.min(1_000).default(20_000),
      /** Longest segment of a recording that one session transcribes. */
      ceilingMs: ms.min(1_000).default(600_000),
      /** Audio transcribed by both legs where a cut falls into speech. */
      overlapMs: ms.max(10_000).default(2_000),
      /** How long before its first audio a session is opened. */
      openAheadMs: ms.max(30_000).default(1_000),
      /** Silences longer than this are not replayed; null: all audio is replayed. */
      skipSilenceMs: ms.min(5_000).nullable().default(null),
    })
    .prefault({}),
  media: z
    .strictObject({
      ffmpegPath: z.string().min(1).default('ffmpeg'),
      ffprobePath: z.string().min(1).default('ffprobe'),
      durationMaxMs: ms.min(1_000).default(12 * 3600 * 1000),
      sourceBytesMax: z
        .int()
        .min(1)
        .max(2 ** 50)
        .default(10 * 2 ** 30),
      decodeTimeoutMs: ms.min(1_000).default(3600 * 1000),
      decodesMax: count.default(2),
      /**
       * At least four pieces of 2 min (`src/media/lane-reader.ts`): two lanes, each with one piece
       * in use and one decoded ahead.
       */
      spoolBytesMax: z
        .int()
        .min(16 * 2 ** 20)
        .max(2 ** 50)
        .default(4 * 2 ** 30),
      channelsMax: z.int().min(1).max(8).default(8),
    })
    .prefault({}),
  vad: z
    .strictObject({
      method: z.enum(['auto', 'silero', 'energy']).default('auto'),
      /** How readily sound counts as speech; sets the next three settings where they are null. */
      sensitivity: z.enum(['low', 'medium', 'high']).default('medium'),
      threshold: z.number().min(0.05).max(0.95).nullable().default(null),
      speechMinMs: ms.nullable().default(null),
      silenceMinMs: ms.nullable().default(null),
      pauseMinMs: ms.default(400),
    })
    .prefault({}),
  coverage: z
    .strictObject({
      /** Speech of this length without text is a hole: it is run once more in a fresh session. */
      holeMinMs: ms.min(1_000).default(3_000),
      /** Share of a recording's audio that may be run once more; 0: none. */
      rerunShareMax: z.number().min(0).max(1).default(1),
    })
    .prefault({}),
  subtitles: z
    .strictObject({
      lineCharsMax: z.int().min(10).max(200).default(42),
      linesMax: z.int().min(1).max(5).default(2),
      charsPerSecondMax: z.number().min(5).max(60).default(20),
      cueMinMs: ms.default(800),
      cueMaxMs: ms.min(1_000).default(7_000),
      gapMaxMs: ms.default(1_500),
    })
    .prefault({}),
  queue: z
    .strictObject({
      /** Prefix of every name in Redis, so that several installations can share one server. */
      prefix: z
        .string()
        .regex(/^[a-z0-9-]{1,40}$/)
        .default('nightscribe'),
      attemptsMax: z.int().min(1).max(50).default(20),
      backoffMs: ms.default(5_000),
      backoffMaxMs: ms.default(300_000),
      lockDurationMs: ms.min(1_000).default(10_000),
      stalledIntervalMs: ms.min(500).default(5_000),
      recordsKeptMs: ms.default(7 * 24 * 3600 * 1000),
    })
    .prefault({}),
  inbox: z
    .strictObject({
      settleMs: ms.default(5_000),
      scanIntervalMs: ms.min(100).default(1_000),
    })
    .prefault({}),
  housekeeping: z
    .strictObject({
      /** Time between two housekeeping runs by any worker; null: workers run none by themselves. */
      intervalMs: ms
        .min(1_000)
        .nullable()
        .default(6 * 3600 * 1000),
      /** Most objects, files and entries that one housekeeping run removes. */
      removalsMax: z.int().min(1).max(10_000_000).default(10_000),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      /** Port of a worker's `/metrics`; null: not served, 0: any free port, which the log names. */
      port: z.int().min(0).max(65_535).nullable().default(null),
      host: z.string().min(1).default('127.0.0.1'),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
  /** Folder of sockets, spool files and process ids. Nothing in it is needed after a clean stop. */
  stateDir: z.string().min(1).default('.nightscribe'),
})

/** All settings after defaults, parsed and frozen. */
export type Settings = z.infer<typeof settingsSchema>
