import { defineEntity, namespacesOf } from 'cached-resolvers'
import { describe, expect, test } from 'vitest'

const entity = (options: { name: string; kind: string; lists?: Record<string, { name: string }> }) =>
  defineEntity({
    ...options,
    fresh: { softMs: 1, graceMs: 1, negativeMs: 1 },
    fetch: async () => new Map<string, string>(),
    newest: async () => [],
    lists: Object.fromEntries(
      Object.entries(options.lists ?? {}).map(([loader, { name }]) => [
        loader,
        { name, pages: async () => new Map(), counts: async () => new Map() },
      ]),
    ),
  })

describe('declarations that cannot work are refused with their name', () => {
  test('a kind that cannot start an id', () => {
    const tags = entity({ name: 'post-tags', kind: 'post-tag' })
    expect(() => namespacesOf({ tags })).toThrow(
      'The kind "post-tag" must begin with a letter and contain only letters, digits and underscores: ids begin with it, as in product_7',
    )
  })

  test('two entities of one kind', () => {
    const tags = entity({ name: 'tags', kind: 'tag' })
    const labels = entity({ name: 'labels', kind: 'tag' })
    expect(() => namespacesOf({ tags, labels })).toThrow('Two entities or lists have the kind "tag"')
  })

  test('two namespaces of one name, also if they differ only in dashes', () => {
    const tags = entity({ name: 'post-tags', kind: 'tag' })
    const labels = entity({ name: 'labels', kind: 'label', lists: { labelLists: { name: 'post_tags' } } })
    expect(() => namespacesOf({ tags, labels })).toThrow(
      'Two entities or lists have the namespaces "post-tags" and "post_tags", which are too similar: rename one of them',
    )
  })

  test('a list with the name of another loader', () => {
    const tags = entity({ name: 'tags', kind: 'tag', lists: { labels: { name: 'tag-labels' } } })
    const labels = entity({ name: 'labels', kind: 'label' })
    expect(() => namespacesOf({ tags, labels })).toThrow('Two entities or lists have the loader "labels"')
  })
})
