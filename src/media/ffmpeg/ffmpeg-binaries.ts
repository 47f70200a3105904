import { ConfigError, reasonOf, systemCode } from '../../kernel/errors.js'
import { runProcess } from './run-process.js'

/** Paths of ffmpeg and ffprobe, or names that are looked up in PATH. */
export interface FfmpegPaths {
  ffmpegPath: string
  ffprobePath: string
}

/** Versions as the binaries print them, such as `5.1.9-0+deb12u1`. */
export interface FfmpegVersions {
  ffmpegVersion: string
  ffprobeVersion: string
}

const INSTALL_LINE = 'apt-get install -y --no-install-recommends ffmpeg'

/**
 * Runs both binaries once with `-version`. Call it before the first decode: fluent-ffmpeg throws an
 * uncaught TypeError when its binary is missing.
 *
 * @throws ConfigError naming the setting and the line that installs ffmpeg; the signal's reason
 */
export async function checkFfmpeg(
  paths: FfmpegPaths,
  { signal }: { signal: AbortSignal },
): Promise<FfmpegVersions> {
  const [ffmpegVersion, ffprobeVersion] = await Promise.all([
    versionOf('ffmpeg', paths.ffmpegPath, signal),
    versionOf('ffprobe', paths.ffprobePath, signal),
  ])
  return { ffmpegVersion, ffprobeVersion }
}

async function versionOf(
  program: 'ffmpeg' | 'ffprobe',
  path: string,
  signal: AbortSignal,
): Promise<string> {
  const wrong = (reason: string, cause?: unknown) =>
    new ConfigError(
      'config_invalid',
      `media.${program}Path is '${path}', which ${reason}: install it with '${INSTALL_LINE}', ` +
        `or set media.${program}Path to a working ${program}.`,
      { cause, facts: { setting: `media.${program}Path` } },
    )
  const options = { signal, outputBytesMax: 16_384 }
  const outcome = await runProcess(path, ['-version'], options).catch((error: unknown) => {
    if (signal.aborted) throw signal.reason
    if (systemCode(error) === 'ENOENT') throw wrong('was not found', error)
    throw wrong(`could not be started (${reasonOf(error)})`, error)
  })
  const version = new RegExp(`^${program} version (\\S+)`).exec(outcome.stdout)?.[1]
  if (outcome.exitCode !== 0 || version === undefined) throw wrong(`is not ${program}`)
  return version
}
