import { parser } from '@prometheus-io/lezer-promql'

export interface Expression {
  /** Names of metrics, each with the labels that it is selected by */
  selectors: { metric: string; labels: string[] }[]
  /** What it is grouped by */
  groupings: string[]
}

/** Reads PromQL; throws where that is malformed. */
export function readPromql(text: string): Expression {
  const its: Expression = { selectors: [], groupings: [] }
  let grouping = false
  parser.parse(text).iterate({
    enter({ type, name, from, to }) {
      if (type.isError) throw new Error(`Malformed at ${from}: ${text}`)
      const word = text.slice(from, to)
      if (name === 'VectorSelector') its.selectors.push({ metric: '', labels: [] })
      const selector = its.selectors.at(-1)
      if (name === 'Identifier' && selector) selector.metric = word
      if (name === 'GroupingLabels') grouping = true
      if (name === 'LabelName') (grouping ? its.groupings : selector?.labels)?.push(word)
    },
    leave({ name }) {
      if (name === 'GroupingLabels') grouping = false
    },
  })
  return its
}
