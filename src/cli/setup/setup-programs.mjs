/** Which programs a purpose needs, and which Debian packages bring them. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * @typedef {object} Need
 * @property {string} name for sentences
 * @property {string[]} packages Debian's
 * @property {string[][]} programs each group must be present with at least one of its names
 * @property {boolean} [bringsServices] its packages would register system services
 */

const FFMPEG = { name: 'ffmpeg', packages: ['ffmpeg'], programs: [['ffmpeg'], ['ffprobe']] }

/**
 * Debian's redis-tools contains the whole server: it serves when started under the name
 * redis-server.
 */
const REDIS = {
  name: 'Redis',
  packages: ['redis-tools'],
  programs: [['redis-server', 'valkey-server', 'redis-check-rdb']],
}

/** The S3 server of the tests. */
const RADOSGW = {
  name: 'radosgw',
  packages: ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'],
  programs: [['ceph-mon'], ['ceph-osd'], ['radosgw'], ['radosgw-admin'], ['ceph-authtool']],
  bringsServices: true,
}

/** Music, in which a recognizer must hear no words. */
const SOX = { name: 'sox', packages: ['sox'], programs: [['sox']] }

/** Speech for the samples, and for tests of the recognizer. */
const VOICES = { name: 'the voices', packages: ['flite'], programs: [['flite']] }

/**
 * The system programs that a purpose needs, without those that the settings name elsewhere.
 * @param {'build' | 'start' | 'test' | 'samples'} purpose
 * @param {{ redisUrl: string | null,
 *   media: { ffmpegPath: string, ffprobePath: string } } | null} settings null: nothing is named
 * @returns {Need[]}
 */
export function needsOf(purpose, settings) {
  switch (purpose) {
    case 'start': {
      const media = settings?.media ?? { ffmpegPath: 'ffmpeg', ffprobePath: 'ffprobe' }
      const ownFfmpeg = media.ffmpegPath !== 'ffmpeg' && media.ffprobePath !== 'ffprobe'
      return [...(ownFfmpeg ? [] : [FFMPEG]), ...(settings?.redisUrl ? [] : [REDIS])]
    }
    case 'test':
      return [FFMPEG, REDIS, VOICES, SOX, RADOSGW]
    case 'samples':
      return [FFMPEG, VOICES]
    default:
      return []
  }
}

/**
 * The needs that this machine doesn't meet.
 * @param {Need[]} needs
 * @param {string} path the PATH to look in
 */
export function unmetNeeds(needs, path) {
  const folders = path.split(delimiter).filter((folder) => folder !== '')
  const found = (program) => folders.some((folder) => isProgram(join(folder, program)))
  return needs.filter((need) => !need.programs.every((names) => names.some(found)))
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false // absent, unreadable or not executable: not a program that can be started
  }
}
