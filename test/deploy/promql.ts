import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

export interface Matcher {
  label: string
  value: string
}

export interface Selector {
  metric: string
  matchers: Matcher[]
}

export interface Expression {
  selectors: Selector[]
  /** Labels of `by`, `without`, `on` and their like. */
  grouping: string[]
}

/** What an expression of PromQL asks for. Throws at what Prometheus would refuse to parse. */
export function readPromql(text: string): Expression {
  const found: Expression = { selectors: [], grouping: [] }
  parser.parse(text).iterate({
    enter: ({ node }) => {
      if (node.type.isError) throw new Error(`Not PromQL at ${node.from}: ${text}`)
      if (node.name === 'VectorSelector') found.selectors.push(readSelector(node, text))
      if (node.name === 'GroupingLabels') found.grouping.push(...childrenOf(node, 'LabelName').map((label) => slice(label, text)))
    },
  })
  return found
}

function readSelector(node: SyntaxNode, text: string): Selector {
  const [name] = childrenOf(node, 'Identifier')
  if (!name) throw new Error(`A selector without a metric: ${text}`)
  const matchers = childrenOf(node, 'LabelMatchers').flatMap((list) => childrenOf(list, 'UnquotedLabelMatcher'))
  return {
    metric: slice(name, text),
    matchers: matchers.map((matcher) => ({
      label: slice(only(matcher, 'LabelName'), text),
      value: slice(only(matcher, 'StringLiteral'), text).slice(1, -1),
    })),
  }
}

function childrenOf(node: SyntaxNode, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = []
  for (let child = node.firstChild; child; child = child.nextSibling) if (child.name === name) found.push(child)
  return found
}

function only(node: SyntaxNode, name: string): SyntaxNode {
  const [child] = childrenOf(node, name)
  if (!child) throw new Error(`No ${name} in ${node.name}`)
  return child
}

function slice({ from, to }: SyntaxNode, text: string): string {
  return text.slice(from, to)
}
