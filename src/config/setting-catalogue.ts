import { z } from 'zod'
import { settingsSchema } from './schema.js'

/** One setting: a leaf of the schema. */
export interface Setting {
  /** Dotted path, as in the YAML files: `engine.sessionsMax`. */
  path: string
  /** Variable in the environment: `NIGHTSCRIBE_ENGINE_SESSIONS_MAX`. */
  environmentName: string
  kind: 'text' | 'number' | 'boolean' | 'list'
  /** Whether the setting may be null, meaning "not set". */
  nullable: boolean
  defaultValue: unknown
}

/** Prefix of every environment variable of Nightscribe. */
export const environmentPrefix = 'NIGHTSCRIBE_'

/** Derives the variable from the path: `s3.endpoint` becomes `NIGHTSCRIBE_S3_ENDPOINT`. */
export function environmentNameOf(path: string): string {
  const snake = path.replace(/([a-z0-9])([A-Z])/g, '$1_$2').replaceAll('.', '_')
  return environmentPrefix + snake.toUpperCase()
}

/** Every setting of the schema, in the schema's order. */
export const settingCatalogue: readonly Setting[] = leavesOf(
  z.toJSONSchema(settingsSchema, { io: 'input' }) as SchemaNode,
  [],
)

/** The part of JSON Schema that our settings use. */
interface SchemaNode {
  type?: string | string[]
  properties?: Record<string, SchemaNode>
  anyOf?: SchemaNode[]
  default?: unknown
}

function leavesOf(node: SchemaNode, path: string[]): Setting[] {
  if (node.properties !== undefined) {
    return Object.entries(node.properties).flatMap(([key, child]) =>
      leavesOf(child, [...path, key]),
    )
  }
  const types = [node, ...(node.anyOf ?? [])].flatMap((option) => option.type ?? [])
  const dotted = path.join('.')
  return [
    {
      path: dotted,
      environmentName: environmentNameOf(dotted),
      kind: kindOf(types, dotted),
      nullable: types.includes('null'),
      defaultValue: node.default,
    },
  ]
}

function kindOf(types: string[], path: string): Setting['kind'] {
  if (types.includes('array')) return 'list'
  if (types.includes('boolean')) return 'boolean'
  if (types.includes('integer') || types.includes('number')) return 'number'
  if (types.includes('string')) return 'text'
  throw new TypeError(`schema.ts: ${path} has a type that no source can express`)
}
