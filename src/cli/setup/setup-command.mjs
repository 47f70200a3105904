/** Runs the programs that set-up needs: quiet when all is well, their last words when not. */
import { spawn } from 'node:child_process'
import { SetupError } from './setup-error.mjs'

const OUTPUT_CHARS_MAX = 64 * 1024
const LINES_SHOWN_MAX = 25

/**
 * Runs a program to its end. Its last 64 KiB of output are kept, and shown only on failure. A
 * SIGINT or SIGTERM meanwhile is passed on to it; once it has ended, set-up ends too.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd: string, env: Record<string, string | undefined> }} options
 * @returns {Promise<void>}
 * @throws SetupError with the last lines of its output: 75 when it failed, 2 when it isn't
 *   installed, 130 when a signal stopped it
 */
export function runToEnd(program, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let stoppedBy = null
    const keep = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_CHARS_MAX)
    }
    const passOn = (signal) => {
      stoppedBy = signal
      child.kill(signal)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    process.on('SIGINT', passOn)
    process.on('SIGTERM', passOn)
    const settle = (outcome) => {
      process.off('SIGINT', passOn)
      process.off('SIGTERM', passOn)
      outcome()
    }
    child.once('error', (error) => settle(() => reject(notStarted(program, error))))
    child.once('close', (code, signal) => {
      if (stoppedBy !== null) {
        settle(() => reject(new SetupError(`stopped by ${stoppedBy}.`, 130)))
      } else if (code === 0) {
        settle(resolve)
      } else {
        const how = code === null ? `was ended by ${signal}` : `ended with code ${code}`
        const line = [program, ...args].join(' ')
        settle(() => reject(new SetupError(`\`${line}\` ${how}:\n${lastLines(output)}`, 75)))
      }
    })
  })
}

function notStarted(program, error) {
  if (error.code !== 'ENOENT') return error
  return new SetupError(`${program} isn't installed or not in PATH: install it and try again.`, 2)
}

function lastLines(output) {
  const lines = output.trimEnd().split('\n').slice(-LINES_SHOWN_MAX)
  return lines.map((line) => `  ${line}`).join('\n')
}
