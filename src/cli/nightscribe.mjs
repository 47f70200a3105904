#!/usr/bin/env node
/**
 * The `nightscribe` command. Sets up what is missing, then runs the compiled program in this very
 * process, so that signals, exit codes and the current folder are its own.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PROJECT_DIR, reportSetupFailure, setUp } from './setup/setup.mjs'

const args = process.argv.slice(2)

/**
 * Finds the command and the value of `--config` before the packages are installed: set-up needs
 * both.
 */
function lookAhead(words) {
  let configName
  let command
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index]
    if (word === '--config') configName = words[++index]
    else if (word.startsWith('--config=')) configName = word.slice('--config='.length)
    else if (!word.startsWith('-')) command ??= word
  }
  return { command, configName }
}

try {
  const { command, configName } = lookAhead(args)
  const asksForHelp = args.includes('--help') || args.includes('-h')
  await setUp(command === 'up' && !asksForHelp ? 'start' : 'build', { configName })
} catch (error) {
  process.exit(reportSetupFailure(error))
}

const { main } = await import(pathToFileURL(join(PROJECT_DIR, 'dist/src/cli/main.js')).href)
const exitCode = await main(args)
if (typeof exitCode === 'number') process.exitCode = exitCode
