import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { workerMetrics } from '../../../jobs/metrics/worker-metrics.js'

const readme = readFileSync(new URL('../../../jobs/README.md', import.meta.url), 'utf8')
const [, yaml = ''] = /```yaml\n([\s\S]*?)```/.exec(readme) ?? []

/** Metrics by name, without what they all begin with. */
const declared = [
  ...workerMetrics()
    .registry.text()
    .matchAll(/^# TYPE nightscribe_(\w+) (\w+)$/gm),
]
const names = declared.map(([, name = '']) => name)
const inRules = declared.flatMap(([, name, type]) => {
  return type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [`${name}`]
})

interface Rule {
  alert: string
  expr: string
  annotations: { summary: string; action: string }
}

describe('jobs/README.md', () => {
  it('lists every metric that a worker has, and no other', () => {
    const [, table = ''] = /## Metrics\n([\s\S]*?)\n## Alerts/.exec(readme) ?? []
    const firstCells = [...table.matchAll(/^\| (`[^|]+?)\s*\|/gm)].map(([, cell = '']) => cell)
    const listed = firstCells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, n]) => n))
    expect([...listed].sort()).toEqual([...names].sort())
  })

  it('has rules that ask only for what there is, and say what to do', () => {
    const { groups } = parse(yaml) as { groups: { rules: Rule[] }[] }
    const rules = groups.flatMap((group) => group.rules)
    expect(rules.length).toBeGreaterThan(10)
    for (const { alert, expr, annotations } of rules) {
      const asked = [...expr.matchAll(/nightscribe_(\w+)/g)].map(([, name = '']) => name)
      expect(asked.length, alert).toBeGreaterThan(0)
      for (const name of asked) expect(inRules, alert).toContain(name)
      const opened = expr.replace(/[^(]/g, '').length
      expect(expr.replace(/[^)]/g, '').length, alert).toBe(opened)
      expect(annotations, alert).toEqual({
        summary: expect.any(String),
        action: expect.any(String),
      })
    }
  })
})
