import { bundle } from './bundle.js'
const code = await bundle()
const m = { exports: {} as any }
const { createRequire } = await import('node:module')
new Function('module', 'exports', 'require', code)(m, m.exports, createRequire(import.meta.url))
const { planOf, runPlan, profileNames } = m.exports
const from = Number(process.argv[2] ?? 0), count = Number(process.argv[3] ?? 100), profile = process.argv[4]
const t = performance.now()
let events = 0, virtual = 0
const kinds = new Map<string, number[]>()
for (let seed = from; seed < from + count; seed++) {
  const plan = planOf(seed, profile)
  const r = await runPlan(plan)
  events += r.events; virtual += r.virtualMs
  for (const k of new Set(r.violations.map((v: any) => plan.profile + ': ' + v.kind))) { kinds.set(k as string, [...(kinds.get(k as string) ?? []), seed]) }
  if (count === 1) { const r2 = await runPlan(plan, {isTraced: true}); console.log(r.hash, r2.hash, plan.faults); for (const l of r2.trace) console.log(l.at.toFixed(2).padStart(9), l.who.padEnd(10), l.text.slice(0,200)) ; console.log(r.violations.slice(0,5)) }
}
const s = (performance.now() - t) / 1000
console.log({ s, schedulesPerS: count / s, eventsPerS: events / s, eventsPer: events / count, times: virtual / 1000 / s })
for (const [k, seeds] of [...kinds].sort()) console.log(k, seeds.length, seeds.slice(0, 8).join(' '))
