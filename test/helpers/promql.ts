import { parser } from '@prometheus-io/lezer-promql'

export interface Expression {
  /** The selected metrics with the labels of their selectors */
  selectors: { metric: string; labels: string[] }[]
  /** Labels by which the expression is grouped */
  groupings: string[]
}

/** Parses PromQL. Throws if it is malformed. */
export function readPromql(text: string): Expression {
  const expression: Expression = { selectors: [], groupings: [] }
  let grouping = false
  parser.parse(text).iterate({
    enter({ type, name, from, to }) {
      if (type.isError) throw new Error(`Malformed at ${from}: ${text}`)
      const word = text.slice(from, to)
      if (name === 'VectorSelector') expression.selectors.push({ metric: '', labels: [] })
      const selector = expression.selectors.at(-1)
      if (name === 'Identifier' && selector) selector.metric = word
      if (name === 'GroupingLabels') grouping = true
      if (name === 'LabelName') (grouping ? expression.groupings : selector?.labels)?.push(word)
    },
    leave({ name }) {
      if (name === 'GroupingLabels') grouping = false
    },
  })
  return expression
}
