import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { ConfigError } from '../../kernel/errors.js'
import { issueSentence } from '../setting-issue.js'

/** Names of the YAML files in a folder of `config/`, without `.yaml`, sorted. */
export function dataFileNames(cwd: string, folder: string): string[] {
  return readdirSync(join(cwd, 'config', folder))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length))
    .sort()
}

/**
 * Reads `config/<folder>/<name>.yaml`.
 * @param cwd the project's folder
 * @throws ConfigError naming the file, and every key that is wrong
 */
export function readDataFile<T>(
  schema: z.ZodType<T>,
  file: { cwd: string; folder: string; name: string },
): T {
  const fileName = `config/${file.folder}/${file.name}.yaml`
  const document = parseDocument(readFileSync(join(file.cwd, fileName), 'utf8'))
  const broken = document.errors[0]
  if (broken) throw wrong(fileName, [broken.message.split('\n')[0] ?? broken.message])
  const parsed = schema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  throw wrong(
    fileName,
    parsed.error.issues.map((issue) => `${issue.path.join('.') || 'it'} ${issueSentence(issue)}`),
  )
}

function wrong(fileName: string, problems: readonly string[]): ConfigError {
  const sentence = `${fileName} is wrong, please correct: ${problems.join('; ')}.`
  return new ConfigError('config_invalid', sentence, { facts: { file: fileName } })
}
